"""Defines the tables in SQLAlchemy Core. Alembic compares a database with these definitions.

The two embedding tables of each model are not here: a migration operation creates them when the model is added
(`migrations/operations/tables.py`), so their number and dimensions belong to the site. `product_id` is the first column
of every key that contains it, so that the rows can be distributed by product later.
"""

from db.tables import access, catalog, evaluation, models, search, work
from db.tables.metadata import PRIVATE, SHOP, metadata

__all__ = ["PRIVATE", "SHOP", "access", "catalog", "evaluation", "metadata", "models", "search", "work"]
