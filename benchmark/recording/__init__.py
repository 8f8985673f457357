"""Recording: a finished run put together as one run record."""
