"""Evaluation: post-processing, thresholds from validation, figures from test."""
