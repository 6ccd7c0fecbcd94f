"""What every request passes: limits, access, the database, errors, metrics."""
