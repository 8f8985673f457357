"""ANDi Bench: train, run, score and rank unsupervised anomaly detectors on brain MRI."""

__version__ = "0.1.0"
