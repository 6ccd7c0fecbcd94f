"""The tables, as SQLAlchemy knows them: alembic compares a database with these."""
