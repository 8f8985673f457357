"""Data sets: adapters, splits, preprocessing and the slice store (part of ANDi Bench)."""
