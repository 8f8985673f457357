"""Denoising diffusion, shared by the detectors built on it: schedule, noise, training."""
