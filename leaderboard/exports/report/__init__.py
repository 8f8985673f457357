"""A run's own page, ``report.html`` in its record."""
