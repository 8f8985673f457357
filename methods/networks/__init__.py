"""Networks that the baselines share, one file a network."""
