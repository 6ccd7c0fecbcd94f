"""Limits a request to the catalogs and the products that its API key allows."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Self

import msgspec
from litestar import Request
from sqlalchemy import Connection

from db.api_keys import ApiKey
from db.search import ranking
from db.search.ranking import SearchParams
from web.http.context import context_of
from web.http.problems import ApiError, allowed_catalogs


def is_public(public_catalogs: Collection[str] | None, catalog: str) -> bool:
    """Returns whether everybody may see the catalog. None stands for all catalogs."""
    return public_catalogs is None or catalog in public_catalogs


class KeyLimits:
    """The limits of `key`. A request without a key has no limits: either keys are off, or the route needs no key."""

    def __init__(self, key: ApiKey | None) -> None:
        self._catalogs = None if key is None else key.catalogs
        self._filter = None if key is None else key.filter

    @classmethod
    def of(cls, request: Request[Any, Any, Any]) -> Self:
        return cls(context_of(request.scope).api_key)

    @property
    def allows_every_catalog(self) -> bool:
        return self._catalogs is None

    def allows_catalog(self, catalog: str) -> bool:
        return self._catalogs is None or catalog in self._catalogs

    def check_catalog(self, catalog: str) -> None:
        """Raises ApiError if the key does not allow the catalog, whether the catalog exists or not."""
        if not self.allows_catalog(catalog):
            hint = allowed_catalogs(self._catalogs or ())
            raise ApiError("key-scope", f"This key does not allow the catalog {catalog[:80]}.", hint=hint)

    def check_every_catalog(self) -> None:
        """Raises ApiError if the key is limited to catalogs."""
        if self._catalogs is not None:
            hint = f"Name one of these catalogs: {', '.join(self._catalogs)}."
            raise ApiError("key-scope", "This key does not allow every catalog.", hint=hint)

    def check_explain(self) -> None:
        """Raises ApiError if the key is limited, because the steps of a search count products of all catalogs."""
        if self._catalogs is not None or self._filter is not None:
            raise ApiError(
                "key-scope", "This key does not allow explain.", hint="Use a key without catalogs and filter."
            )

    def check_counts(self) -> None:
        """Raises ApiError if the key has a filter, because counts of a catalog count products outside the filter."""
        if self._filter is not None:
            raise ApiError("key-scope", "This key has a filter, so it does not allow counts of whole catalogs.")

    def narrowed(self, params: SearchParams) -> SearchParams:
        """Returns the parameters with the key's filter added to their filter.

        The key's filter is put inside `and`. A facet ignores the condition on its own field at the top level of a
        filter, and would otherwise count products that the key does not allow. Raises ApiError if the filter's `and` is
        not a list.
        """
        if self._filter is None:
            return params
        given: dict[str, Any] = msgspec.json.decode(params.filter) if params.filter else {}
        others = given.get("and", [])
        if not isinstance(others, list):
            raise ApiError("invalid", "The filter's `and` is not a list.")
        both = {**given, "and": [*others, self._filter]}
        return replace(params, filter=msgspec.json.encode(both).decode())

    def check_products(self, conn: Connection, catalog: str, skus: Iterable[str]) -> None:
        """Raises ApiError if the key has a filter and a product does not meet it. The error is the same as for a
        product that does not exist."""
        wanted = sorted(set(skus))
        if self._filter is None or not wanted:
            return
        filter_ = msgspec.json.encode({"sku": wanted, "and": [self._filter]}).decode()
        found = ranking.browse(conn, SearchParams(filter=filter_, catalog=catalog, k=len(wanted)))
        if len(found) < len(wanted):
            raise ApiError("not-found", "There is no such product in this catalog.")
