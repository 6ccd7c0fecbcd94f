"""The schema's history, and the operations that make it. See `migrations/upgrade.py` for the whole sequence."""
