"""Anomaly detectors (part of ANDi Bench)."""
