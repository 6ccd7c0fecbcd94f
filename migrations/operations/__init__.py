"""Defines our own Alembic operations."""
