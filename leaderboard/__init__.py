"""Comparisons of run records: tables and exports (part of ANDi Bench)."""
