"""``tune``: settings of a method searched on validation subjects alone."""
