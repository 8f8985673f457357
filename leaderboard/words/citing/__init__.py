"""What is to be cited: publications of methods and data sets, from the configuration and from the records."""
