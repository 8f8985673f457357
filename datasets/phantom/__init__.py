"""The built-in phantom: simulated brain scans with exact lesion masks."""
