"""The revisions of the schema and their operations. `migrations/upgrade.py` describes the whole sequence."""
