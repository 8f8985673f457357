"""One run for whoever made it: what it came to, and what to try next."""
