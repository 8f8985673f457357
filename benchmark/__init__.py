"""ANDi Bench: train, run, score and rank unsupervised anomaly detectors on brain MRI."""
