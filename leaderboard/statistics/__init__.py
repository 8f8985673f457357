"""What the differences between rows are worth: tests, rankings, agreement."""
