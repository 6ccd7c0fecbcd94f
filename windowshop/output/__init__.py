"""Prints the tables, progress bars and figures of commands, and sets up their log."""
