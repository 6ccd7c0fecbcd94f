"""Runs PostgreSQL servers that a test kills, copies or restores."""
