"""From files as found to folders of a prepared data set."""
