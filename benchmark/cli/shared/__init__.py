"""What several commands share: options become layers of configuration, rows are printed."""
