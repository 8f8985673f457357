"""The detectors that ANDi is compared with, one file a method."""
