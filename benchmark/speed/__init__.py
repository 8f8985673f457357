"""What a method costs on this machine, before anything is trained: `speed`. Synthetic brains, no data."""
