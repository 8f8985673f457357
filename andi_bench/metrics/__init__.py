"""Every metric of the protocol."""
