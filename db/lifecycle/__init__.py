"""The lifecycle of a model: its coverage, its indexes, its trial against the serving model, promotion and rollback."""
