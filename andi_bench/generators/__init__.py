"""Counter-based generators: random words as a function of key and place."""
