"""Contains the revisions of the schema and their operations. `migrations/upgrade.py` describes an upgrade."""
