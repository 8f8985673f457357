"""Aggregated Normative Diffusion (Frotscher et al., arXiv 2312.01904)."""
