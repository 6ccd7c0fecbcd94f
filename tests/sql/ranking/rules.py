"""Saves rules in a shop with eight products, and searches while the rules apply."""

import json
from typing import Any

from sqlalchemy import Connection, text

from db.roles import Role
from tests.support.shop import Shop

TINY = "1e-400"  # a JSON number that is too small for double precision
SKUS = [f"s{n}" for n in range(8)]
SEARCH = "select sku, rules from shop.search(:query, k => 8, keyword_weight => 0{}) order by rank"
QUERY = {"query": "red shoes"}


def save(shop: Shop, name: str, condition: Any, action: Any, **more: Any) -> None:
    condition, action = (json.dumps(part).replace(f'"{TINY}"', TINY) for part in (condition, action))
    values = {"name": name, "condition": condition, "action": action, "status": "live", **more}
    marks = ", ".join(f":{key}" for key in values)
    with shop.database.connect(Role.APP) as app, app.begin():
        app.execute(text(f"insert into shop.rule ({', '.join(values)}) values ({marks})"), values)


def found(conn: Connection, query: str = "red shoes", more: str = "") -> list[str]:
    return [row.sku for row in conn.execute(text(SEARCH.format(more)), {"query": query})]
