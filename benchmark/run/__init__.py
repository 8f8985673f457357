"""Runs: data, learning, scoring, evaluation and recording in turn."""
