"""Scans: read, checked, and brought to the working grid."""
