"""Runs a PostgreSQL server on one machine without an installation."""
