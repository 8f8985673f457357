"""Scans found wherever they lie as downloaded."""
