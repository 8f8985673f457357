"""A subject's files, verified."""
