"""When a caller creates a watch or retries items, functions with the rights of the caller now find out which products
the caller sees. A trigger refuses languages that PostgreSQL does not have."""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None
serves = "0023"


def upgrade() -> None:
    """Change nothing: the files in db/functions create the views and the triggers."""


def downgrade() -> None:
    op.execute("drop trigger if exists catalog_language_checked on shop.catalog")
    op.execute("drop trigger if exists catalog_language_changed on shop.catalog")
    op.drop_functions("shop_private", "catalog_language_checked", "catalog_language_changed")
    op.execute("drop view if exists shop_private.new_watch, shop_private.work_retries")  # with their triggers
    op.drop_functions("shop_private", "watch_caller", "watch_store", "retry_caller", "retry_items")
