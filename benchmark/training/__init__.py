"""Training: the loop that all detectors share, its state, and trainings found again."""
