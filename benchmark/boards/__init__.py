"""Published leaderboards: the runs that are missing are made, published and shown."""
