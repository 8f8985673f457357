"""Histogram matching of prepared subjects."""
