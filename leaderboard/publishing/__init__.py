"""Published results: slim copies of run records, and the tables that are rebuilt from them."""
