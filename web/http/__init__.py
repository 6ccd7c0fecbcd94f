"""Contains the layers that every request passes: limits, access checks, the database, errors, and metrics."""
