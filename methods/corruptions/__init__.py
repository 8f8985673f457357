"""Synthetic corruptions that detectors learn to undo."""
