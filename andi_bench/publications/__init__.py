"""What methods and data sets are to be cited by."""
