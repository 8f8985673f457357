"""Run records: what one says, how it is written and found, its arrays and previews."""
