"""Bringing raw data in: organise, register, histogram-match, and the way back."""
