"""Manages the lifecycle of a model: coverage, indexes, a trial against the serving model, promotion and rollback."""
