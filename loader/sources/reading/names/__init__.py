"""Knows the names that columns have in files of shops."""
