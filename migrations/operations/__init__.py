"""Alembic operations of our own."""
