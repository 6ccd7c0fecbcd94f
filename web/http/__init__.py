"""The layers that every request passes: limits, access, the database, errors, metrics."""
