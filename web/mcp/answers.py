"""Shortens the answers of REST, because an assistant reads every word. Fields without a value are left out."""

from collections.abc import Mapping
from typing import Any

_OF_RESULT = (
    "rank",
    "sku",
    "title",
    "similarity",
    "brand",
    "product_type",
    "color",
    "price",
    "effective_price",
    "price_before",
    "currency",
    "availability",
    "link",
)
MAX_DESCRIPTION = 2_000  # characters of a product's description


def page(answer: Mapping[str, Any], site: str | None) -> dict[str, Any]:
    """Returns a page of results. `site` is the address of this service. On stdio, `site` is None, and images that only
    this service has are left out."""
    shown = {
        "results": [_result(one, site) for one in answer["results"]],
        "total": answer["total"],
        "total_is": answer["total_is"],
        "note": answer["reason"],
        "corrected_query": answer.get("corrected"),
        "redirect": answer.get("redirect"),
        "banner": answer.get("banner"),
        "cursor": answer["next"],
    }
    return _with_values(shown)


def _result(result: Mapping[str, Any], site: str | None) -> dict[str, Any]:
    shown = {name: result[name] for name in _OF_RESULT}
    shown["image"] = _image(result["picture"], site)
    return _with_values(shown)


def product(answer: Mapping[str, Any], site: str | None) -> dict[str, Any]:
    images = [_image(one, site) for one in answer["pictures"]]
    shown = {**answer, "pictures": None, "images": [image for image in images if image] or None}
    if len(description := answer["description"] or "") > MAX_DESCRIPTION:
        shown["description"] = description[:MAX_DESCRIPTION] + "…"
    return _with_values(shown)


def facets(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "facets": [
            {
                "field": one["field"],
                "values": [_with_values(value) for value in one["values"]],
                **({} if one["exact"] else {"note": one["note"]}),
            }
            for one in answer["facets"]
        ]
    }


def steps(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "steps": [_with_values(step) for step in answer["explain"]],
        "results": [one["sku"] for one in answer["results"]],
        **_with_values({name: answer[name] for name in ("route", "rows_examined", "reason")}),
    }


def _with_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value not in ({}, [])}


def _image(picture: Mapping[str, Any] | None, site: str | None) -> str | None:
    url: str = picture["url"] if picture else ""
    if not url.startswith("/"):
        return url or None
    return None if site is None else site + url
