"""Defines the tables in SQLAlchemy Core. Alembic compares a database with these definitions.

Each model of a site has two more tables, for the embeddings of images and of titles. These two tables are not defined
here, because the models and their dimensions differ from site to site. An operation of a migration
(`migrations/operations/tables.py`) creates the two tables when the model is added. In a primary key that contains
`product_id`, this column comes first, so that the rows can later be distributed by product. The only exception is
`webhook_held`, whose rows are found by their webhook.
"""

from db.tables import (
    access,
    catalog,
    evaluation,
    jobs,
    models,
    ranking,
    relevance,
    search,
    suggestions,
    watches,
    webhooks,
    work,
)
from db.tables.metadata import PRIVATE, SHOP, metadata

__all__ = [
    "PRIVATE",
    "SHOP",
    "access",
    "catalog",
    "evaluation",
    "jobs",
    "metadata",
    "models",
    "ranking",
    "relevance",
    "search",
    "suggestions",
    "watches",
    "webhooks",
    "work",
]
