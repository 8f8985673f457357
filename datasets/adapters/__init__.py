"""Data sets: one adapter a layout, and the catalogue that finds them by name."""
