"""What tests share: small data, records made by hand, places."""
