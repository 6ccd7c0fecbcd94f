"""Asks shop.what_if for the effect of changes in a shop with three judged queries."""

import json
from typing import Any

from sqlalchemy import Connection, Row, text

from tests.support.shop import Shop

SKUS = [f"s{n}" for n in range(14)]
QUERIES = ("red shoes", "shoes", "warm winter coat")

RULE = {"rule": {"name": "pin", "condition": {"query": "shoes"}, "action": {"pin": "s13", "at": 1}}}


def view(shop: Shop, name: str, query: str) -> None:
    """Create the schema erp with one view that every role may read."""
    shop.run("create schema erp")
    shop.run(f"create view erp.{name} as {query}")
    shop.run("grant usage on schema erp to public")
    shop.run(f"grant select on erp.{name} to public")


def clean(shop: Shop) -> None:
    shop.run("drop schema if exists erp cascade")
    shop.run("delete from shop.rule")
    shop.run("update shop.signal set weight = 0")


def what_if(conn: Connection, *changes: Any, **more: Any) -> list[Row[Any]]:
    """Return the row of the summary, then a row for each query whose results change."""
    values = {"changes": json.dumps(changes), **more}
    arguments = ", ".join(f"{name} => :{name}" for name in more)
    call = f"select * from shop.what_if(cast(:changes as jsonb){', ' if more else ''}{arguments})"
    return list(conn.execute(text(call), values).all())
