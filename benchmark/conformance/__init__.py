"""The conformance suite: takes a detector through the whole contract of :mod:`methods.base`."""
