"""Runs a PostgreSQL server on this machine, which needs no installed PostgreSQL."""
