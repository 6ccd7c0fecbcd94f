"""Puts products on the work list again, although neither their titles nor their images changed."""

from collections.abc import Sequence

from psycopg import sql
from sqlalchemy import text

from db.engine import Database
from db.errors import StatementRefused
from db.roles import Role

_BATCH = 10_000  # products per statement and transaction

_AGAIN = text("select shop_private.work_again(cast(:model as smallint), cast(:products as uuid[]))")


def encode_again(database: Database, model_ids: Sequence[int], catalog: str | None, where: str | None) -> int:
    """Put the products of `catalog`, or of all catalogs, on the work list of these models.

    With `where`, only the products that meet this SQL condition are put on the list. The condition runs as a role that
    can only read. Returns the number of work items. Raises StatementRefused if the condition is wrong.
    """
    with database.connect(Role.ANALYST) as conn:
        raw = conn.connection.driver_connection
        assert raw is not None
        # psycopg then prepares the statement. The server prepares only one, so a condition cannot append another.
        raw.prepare_threshold = 0
        try:
            chosen = conn.exec_driver_sql(
                _chosen(catalog, where).as_string(raw), execution_options={"no_parameters": True}
            )
        except StatementRefused as error:
            if not where or not (error.sqlstate or "").startswith("42"):
                raise
            raise StatementRefused(
                f"--where {where!r}: {error.message}",
                hint=error.hint or "Give an SQL condition on shop.product, for example: product_type = 'Home'",
            ) from error
        products = list(chosen.scalars())
        conn.rollback()
    count = 0
    with database.connect(Role.ENCODER) as conn:
        for start in range(0, len(products), _BATCH):
            batch = products[start : start + _BATCH]
            for model_id in model_ids:
                with conn.begin():
                    count += int(conn.scalar(_AGAIN, {"model": model_id, "products": batch}) or 0)
    return count


def _chosen(catalog: str | None, where: str | None) -> sql.Composed:
    conditions: list[sql.Composable] = []
    if catalog is not None:
        conditions.append(sql.SQL("catalog = {}").format(sql.Literal(catalog)))
    if where:
        end = "\n)" if "--" in where else ")"  # the newline ends a comment in the condition
        conditions.append(sql.SQL("(" + where.replace("{", "{{").replace("}", "}}") + end).format())
    condition = sql.SQL(" where {}").format(sql.SQL(" and ").join(conditions)) if conditions else sql.SQL("")
    return sql.SQL("select product_id from shop.product{} order by product_id").format(condition)
