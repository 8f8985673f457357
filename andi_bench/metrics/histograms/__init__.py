"""Score histograms: small stand-ins for maps, exact where it counts, and what is computed from them."""
