"""Commands about finished runs: look at one, cite what it rests on, publish it."""
