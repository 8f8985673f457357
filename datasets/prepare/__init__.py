"""Bring data in: organise, verify, register, match."""
