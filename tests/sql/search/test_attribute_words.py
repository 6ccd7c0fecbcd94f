"""Addresses, booleans, units and lists of related products are not words of a product. Other texts in its attributes
are words."""

import json
from typing import Any

from sqlalchemy import text

from db.engine import Database

KEYWORDS = text(
    "select tsvector_to_array(shop_private.keywords('simple', 'S', 'T', null, null, null, null, null, null, "
    ":description, cast(:attributes as jsonb)))"
)
CASES: list[tuple[dict[str, Any], set[str]]] = [  # attributes, and all of their words
    ({}, set()),
    ({"page": "https://shop.example/red-shoe?a=1"}, set()),
    ({"page": "//cdn.example/red.jpg", "more": ["ftp://a.example/b", "s3://bucket/red"]}, set()),
    ({"files": "https://a.example/1.jpg, https://a.example/2.jpg"}, set()),
    ({"note": "See https://a.example/red for washing"}, {"see", "for", "washing"}),
    ({"gift": "true", "bundle": "No", "featured?": "1", "on": True}, set()),
    ({"weight_unit": "g", "unit": "pair", "deep": {"code": "KG"}}, set()),
    ({"size": "M"}, {"m"}),
    ({"related_skus": "MB", "upsells": "mug", "cross_sells": ["cap"], "relatedProducts": ["hat"]}, set()),
    ({"Cross-sells": "cap", "grouped_products": "bag", "upsell_skus": "tie"}, set()),
    ({"relation": "cousin", "united": "kingdom"}, {"cousin", "kingdom"}),
    ({"glaze": "matt", "list": ["oak", {"wood": "ash"}]}, {"matt", "oak", "ash"}),
]


def test_addresses_booleans_units_and_related_products_are_not_words(database: Database) -> None:
    with database.connect(None) as conn:

        def words(attributes: dict[str, Any], description: str | None = None) -> set[str]:
            given = {"attributes": json.dumps(attributes), "description": description}
            return set(conn.scalar(KEYWORDS, given) or ()) - {"s", "t"}

        for attributes, expected in CASES:
            assert words(attributes) == expected, attributes
        described = "Red, see https://a.example/blue and //b.example/x"
        assert words({}, described) == {"red", "see", "and"}
        assert {"20", "kg"} <= words({"weight": "20 kg"})
        assert words({"kind": "oak//ash"}) == words({"other": "oak//ash"}) != set()
