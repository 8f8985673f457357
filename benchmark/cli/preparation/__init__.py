"""``prepare`` and its kinds: from a download to a data set."""
