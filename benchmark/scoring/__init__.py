"""Scoring: from a detector and a scan, or from a file made elsewhere, to an anomaly map."""
