"""Sweeps: methods, seeds, folds and data sets as jobs, on this machine or a cluster."""
