"""Defines the example bodies of the OpenAPI document. A test sends the examples of searches and facets to the
service."""

from typing import Any

TEXT: dict[str, Any] = {"query": "black leather backpack", "top_k": 5, "filter": {"price": {"lt": 80}}}
IMAGE: dict[str, Any] = {
    "image": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "top_k": 5,
}
GENERAL: dict[str, Any] = {
    "query": "running shoes",
    "inputs": [{"text": "red", "weight": 0.5}, {"text": "laces", "weight": -0.3}],
    "weights": {"keyword": 0},
    "top_k": 20,
}
FACETS_ASKED: dict[str, Any] = {"filter": {"product_type": "bags"}, "fields": ["brand", "price"]}

RESULTS: dict[str, Any] = {
    "search_id": "5b0f2f0f4e1d4d0d8a3c1a5e9f7b6c21",
    "results": [
        {
            "rank": 1,
            "sku": "A-17",
            "title": "Black leather backpack",
            "score": 0.0489,
            "brand": "Nord",
            "product_type": "bags",
            "price": 79.9,
            "effective_price": 69.9,
            "price_before": 79.9,
            "currency": "EUR",
            "availability": "in_stock",
            "color": "black",
            "link": "https://shop.example/A-17",
            "picture": {"url": "/images/0b1f3f6e9d5b4c0f8a7d2e6c4b8a9f10?position=0&v=8d5c2f1a9b7e4036", "position": 0},
            "why": {
                "image": {"rank": 1, "distance": 0.71, "score": None, "contribution": 0.0164},
                "title": {"rank": 2, "distance": 0.12, "score": None, "contribution": 0.0161},
                "keyword": {"rank": 1, "distance": None, "score": 0.99, "contribution": 0.0164},
                "exact_match": None,
                "shop_ranking": 0.0036,
                "rules": ["say delivery"],
            },
            "similarity": 0.29,
        }
    ],
    "total": 1,
    "total_is": "exact",
    "route": "exact",
    "rows_examined": 2,
    "degraded": False,
    "reason": None,
    "next": None,
    "explain": None,
    "redirect": None,
    "banner": "Free delivery",
}
FACETS: dict[str, Any] = {
    "facets": [
        {
            "field": "brand",
            "exact": True,
            "note": None,
            "values": [
                {
                    "kind": "value",
                    "products": 2,
                    "value": "Nord",
                    "low": None,
                    "high": None,
                    "currency": None,
                    "filter": {"brand": "Nord"},
                }
            ],
        },
        {
            "field": "price",
            "exact": True,
            "note": None,
            "values": [
                {
                    "kind": "range",
                    "products": 2,
                    "value": None,
                    "low": 0,
                    "high": 100,
                    "currency": "EUR",
                    "filter": {"price": {"gte": 0, "lte": 100}, "currency": "EUR"},
                }
            ],
        },
    ]
}
PATCH: dict[str, Any] = {"price": 74.9, "sale_price": None, "attributes": {"strap_cm": 65}}
ENCODING: dict[str, Any] = {
    "sku": "A-17",
    "model": "starter",
    "state": "quarantined",
    "parts": [
        {"part": "title", "position": 0, "uri": None, "state": "done", "reason": None},
        {
            "part": "image",
            "position": 0,
            "uri": "https://shop.example/A-17.jpg",
            "state": "quarantined",
            "reason": "https://shop.example/A-17.jpg: the server answers 404",
        },
    ],
}
CATALOGS: dict[str, Any] = {
    "catalogs": [
        {
            "catalog": "main",
            "language": "english",
            "products": 1200,
            "searchable": 1150,
            "waiting": 40,
            "quarantined": 10,
            "counts_are": "exact",
        }
    ]
}
RULE: dict[str, Any] = {
    "name": "launch",
    "condition": {"query": "backpack"},
    "action": {"pin": "A-17", "at": 1},
    "status": "live",
}
RULES: dict[str, Any] = {
    "rules": [
        {
            **RULE,
            "catalog": "main",
            "priority": 0,
            "valid_from": None,
            "valid_to": None,
            "rule_id": 1,
            "updated_at": "2026-11-29T10:00:00Z",
        }
    ],
    "next": None,
}
SIGNALS: dict[str, Any] = {
    "signals": [
        {
            "name": "margin",
            "source": "erp.margin",
            "weight": 0.3,
            "visible": "staff",
            "refreshed_at": "2026-11-29T10:00:00Z",
            "problem": None,
        }
    ]
}
WHAT_IF: dict[str, Any] = {
    "changes": [{"synonym": {"terms": ["backpack", "rucksack"]}}, {"signal": {"name": "stock", "weight": 0.3}}],
    "suite": "default",
}
WHAT_IF_ANSWER: dict[str, Any] = {
    "queries": 40,
    "judged": 38,
    "changed": 1,
    "quality": {"ndcg_before": 0.61, "ndcg_after": 0.62, "recall_before": 0.7, "recall_after": 0.71},
    "pages": [
        {
            "query": "rucksack",
            "catalog": "main",
            "before": ["B-2", "B-9"],
            "after": ["A-17", "B-2"],
            "entered": ["A-17"],
            "gone": ["B-9"],
            "moved": ["B-2"],
            "quality": {"ndcg_before": 0.3, "ndcg_after": 0.7, "recall_before": 0.2, "recall_after": 0.6},
        }
    ],
}
PRODUCT_SEARCH: dict[str, Any] = {
    "query": "black leather backpack",
    "top_k": 5,
    "filter": {"price": {"lt": 80}},
    "facets": ["brand"],
    "fields": ["title", "price", "picture", "similarity"],
}
FOUND: dict[str, Any] = {
    "search_id": RESULTS["search_id"],
    "results": [{"rank": 1, "sku": "A-17"} | {name: RESULTS["results"][0][name] for name in PRODUCT_SEARCH["fields"]}],
    "total": 1,
    "total_is": "exact",
    "route": "exact",
    "rows_examined": 2,
    "degraded": False,
    "reason": None,
    "next": None,
    "facets": FACETS["facets"][:1],
    "explain": None,
    "redirect": None,
    "banner": "Free delivery",
}
HEALTH: dict[str, Any] = {"status": "alive"}
READY: dict[str, Any] = {
    "status": "ready",
    "revision": "0023",
    "primary": True,
    "reads": "standby",
    "lag_seconds": 0.6,
    "encoder": {
        "model": "starter",
        "running": True,
        "waiting_queries": 0,
        "waiting_items": 0,
        "quarantined_items": 0,
    },
    "is_copy": False,
}
PRODUCTS: dict[str, Any] = {
    "products": [
        {
            "sku": "A-17",
            "title": "Black leather backpack",
            "brand": "Nord",
            "product_type": "bags",
            "price": 79.9,
            "currency": "EUR",
            "availability": "in_stock",
            "color": "black",
            "sale_price": 69.9,
            "sale_ends_at": "2026-02-28",
            "quantity": 12,
            "attributes": {"strap_cm": 60},
            "images": ["https://shop.example/A-17.jpg"],
        },
        {"sku": "B-2", "title": "Red canvas tote", "price": "25.00 EUR"},
    ]
}
OUTCOMES: dict[str, Any] = {
    "products": [
        {"sku": "A-17", "status": "inserted", "reason": None, "not_stored": ["supplier"]},
        {"sku": "B-2", "status": "inserted", "reason": 'price "-1" is negative', "not_stored": []},
    ]
}
PRODUCT: dict[str, Any] = {
    "sku": "A-17",
    "catalog": "main",
    "title": "Black leather backpack",
    "description": None,
    "brand": "Nord",
    "product_type": "bags",
    "price": 79.9,
    "currency": "EUR",
    "availability": "in_stock",
    "gtin": None,
    "mpn": None,
    "item_group_id": None,
    "link": None,
    "image_link": "https://shop.example/A-17.jpg",
    "color": "black",
    "size": None,
    "material": None,
    "condition": None,
    "sale_price": 69.9,
    "sale_starts_at": None,
    "sale_ends_at": "2026-02-28T23:59:59Z",
    "compare_at_price": None,
    "quantity": 12,
    "rating": 4.5,
    "review_count": 31,
    "published_at": "2026-01-31T09:30:00Z",
    "effective_price": 69.9,
    "price_before": 79.9,
    "attributes": {"strap_cm": 60},
    "pictures": [{"url": "https://shop.example/A-17.jpg", "position": 0}],
    "created_at": "2026-01-31T09:30:00Z",
    "updated_at": "2026-01-31T09:30:00Z",
}
EVENTS: dict[str, Any] = {
    "events": [
        {"kind": "search", "visitor": "v-81", "query": "black leather backpack", "results": 5},
        {"kind": "click", "visitor": "v-81", "query": "black leather backpack", "sku": "A-17", "rank": 1},
        {
            "kind": "purchase",
            "visitor": "v-81",
            "session": "s-3",
            "search_id": RESULTS["search_id"],
            "time": "2026-01-31T09:30:00Z",
            "sku": "A-17",
            "quantity": 2,
            "value": 139.8,
            "currency": "EUR",
        },
    ]
}
RECORDED: dict[str, Any] = {"recorded": 3}
PROBLEM: dict[str, Any] = {
    "type": "urn:windowshop:problem:invalid",
    "title": "The request is not valid",
    "status": 422,
    "detail": "Expected `int` >= 1 - at `$.top_k`",
    "request_id": "mine-1",
}
WATCH: dict[str, Any] = {"name": "red-shoes", "query": "red shoes", "filter": {"price": {"lt": 80}}}
WATCHES: dict[str, Any] = {
    "watches": [
        {
            "name": "red-shoes",
            "catalog": "main",
            "query": "red shoes",
            "has_image": False,
            "filter": {"price": {"lt": 80}},
            "min_similarity": None,
            "created_at": "2026-01-31T09:30:00Z",
            "disabled_at": None,
            "error": None,
        }
    ]
}
MATCHES: dict[str, Any] = {
    "matches": [
        {
            "match": 17,
            "sku": "A-17",
            "title": "Red canvas shoe",
            "image_similarity": 0.31,
            "title_similarity": 0.87,
            "matched_at": "2026-01-31T10:02:11Z",
        }
    ],
    "next": 17,
}
