"""The slice store: the healthy training slices of a data set, in one database."""
