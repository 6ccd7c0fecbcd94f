"""Prints the tables, progress bars and figures of commands."""
