"""What a run's kept maps show of its faults: where they light up without a lesion."""
