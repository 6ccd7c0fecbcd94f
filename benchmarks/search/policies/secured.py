"""Measures shop.search under row policies. The baseline is a role that no policy restricts. Its searches have a filter
instead.

There are two policies. The first one compares a column: each customer sees one product type. The second one asks
whether the customer's price list has the product; together, the lists of all customers have as many rows as the catalog
has products. Each of three customers sees a share of the catalog. The role without a policy has BYPASSRLS, so one
database answers both roles in turns. The filter passes the products that the policy shows: those of a product type, or
those below a price.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from benchmarks.search import postgres
from benchmarks.search.data import PRICES, SHARES, Queries
from benchmarks.search.load import Shop
from benchmarks.search.postgres import Sessions
from benchmarks.search.timing import Figures, K, Questions, in_turns
from benchmarks.support.report import Line, Report, Table, milliseconds

MEASURED = (0.5, 0.05, 0.001)  # share of the products that a customer sees
FREE = "bench_free"  # the login without a policy
POLICIES = {
    "column": "product_type = current_setting('bench.product_type', true)",
    "list": "exists (select from bench_site.price_list l where l.product_id = product.product_id)",
}
FAMILIES = {
    "column": "a policy on the product type, queries for these products",
    "far": "a policy on the product type, queries for other products",
    "list": "a policy with EXISTS on a price list",
}
MOST = 1.3  # goal: p50 under the policy / p50 with the filter is at most this


@dataclass(frozen=True)
class Cell:
    family: str
    share: float
    queries: Queries
    matching: NDArray[np.bool_]
    filter: dict[str, object]

    @property
    def name(self) -> str:
        return f"{self.family} {self.share * 100:g}%"

    @property
    def policy(self) -> str:
        return POLICIES["list" if self.family == "list" else "column"]


def cells(shop: Shop, count: int) -> Iterator[Cell]:
    catalog = shop.catalog
    for share in MEASURED:
        category = SHARES.index(share)
        of_type: dict[str, object] = {"product_type": catalog.categories[category]}
        matching = catalog.category == category
        yield Cell("column", share, catalog.queries("text", count, of=category), matching, of_type)
        yield Cell("far", share, catalog.queries("text", count, not_of=category), matching, of_type)
        below = catalog.prices < round(share * PRICES * 100)
        yield Cell("list", share, catalog.queries("text", count), below, {"price": {"lt": share * PRICES}})


def customer(share: float) -> str:
    """Returns the login of the customer who sees this share of the products."""
    return f"bench_customer_{SHARES.index(share)}"


@contextmanager
def customers(shop: Shop) -> Iterator[None]:
    """Create the logins and the price lists. The lists together have as many rows as the catalog has products. At the
    end, drop the logins and the lists."""
    logins = [FREE, *map(customer, MEASURED)]
    with shop.admin() as conn:
        _drop(conn, logins)
        try:
            conn.execute(
                "create schema bench_site; grant usage on schema bench_site to shop_analyst; "
                "create table bench_site.price_list (customer name, price numeric not null, "
                "product_id uuid references shop.product on delete cascade, primary key (customer, product_id)); "
                "create index on bench_site.price_list (product_id); "
                "grant select on bench_site.price_list to shop_analyst; "
                "alter table bench_site.price_list enable row level security; "
                "create policy own on bench_site.price_list using (customer = current_user)"
            )
            for login in logins:
                conn.execute(
                    sql.SQL("create role {} login password {} in role shop_analyst {}").format(
                        sql.Identifier(login), login, sql.SQL("bypassrls" if login == FREE else "")
                    )
                )
            for share in MEASURED:
                conn.execute(
                    sql.SQL("alter role {} set bench.product_type = {}").format(
                        sql.Identifier(customer(share)), shop.catalog.categories[SHARES.index(share)]
                    )
                )
                conn.execute(
                    "insert into bench_site.price_list (customer, product_id, price) "
                    "select %s, product_id, price from shop.product where price < %s",
                    [customer(share), share * PRICES],
                )
            conn.execute(
                "insert into bench_site.price_list (customer, product_id, price) "
                "select 'another customer', product_id, price from shop.product "
                "where price >= %s limit %s",
                [(1 - MEASURED[0]) * PRICES, round(shop.catalog.rows * (1 - sum(MEASURED)))],
            )
            conn.execute("vacuum analyze bench_site.price_list")
            yield
        finally:
            _drop(conn, logins)


def _drop(conn: psycopg.Connection[Any], logins: Sequence[str]) -> None:
    conn.execute("drop policy if exists bench on shop.product; alter table shop.product disable row level security")
    conn.execute("drop schema if exists bench_site cascade")
    for login in logins:
        conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(login)))


def run(shop: Shop, count: int) -> Report:
    found: list[tuple[Cell, Figures, Figures]] = []
    with customers(shop):
        for policy in POLICIES.values():
            with shop.admin() as conn:
                conn.execute("drop policy if exists bench on shop.product")
                conn.execute(f"create policy bench on shop.product using ({policy})".encode())
                conn.execute("alter table shop.product enable row level security")
            found += [_measured(shop, each) for each in cells(shop, count) if each.policy == policy]
    ratios = {cell.name: under.p50 / free.p50 for cell, under, free in found}
    lines = []
    for family, what in FAMILIES.items():
        worst = max((each.name for each, _, _ in found if each.family == family), key=ratios.__getitem__)
        lines.append(
            Line(
                f"{what}: p50 under the policy / p50 with the condition as a filter, worst ({worst})",
                f"{ratios[worst]:.2f} x",
                f"<= {MOST} x",
                ratios[worst] <= MOST,
            )
        )
    lowest = min(under.recall for _, under, _ in found)
    short = sum(under.short for _, under, _ in found)
    lines += [
        Line("under a policy: lowest recall@10", f"{lowest:.3f}", ">= 0.97", lowest >= 0.97),
        Line("under a policy: answers with fewer than min(k, visible) rows", str(short), "0", short == 0),
    ]
    rows = [
        [
            cell.name,
            *(f"{milliseconds(each.p50)} / {each.recall:.3f}" for each in (under, free)),
            f"{ratios[cell.name]:.2f}",
        ]
        for cell, under, free in found
    ]
    table = Table(
        "shop.search, image leg, text-like queries: p50 / recall@10",
        ["cell", "under the policy", "no policy, with the filter", "ratio of the p50"],
        rows,
    )
    raw = {
        "rows": shop.catalog.rows,
        "cells": {cell.name: {"policy": under.as_json(), "filter": free.as_json()} for cell, under, free in found},
    }
    title = f"Search under row policies, {shop.catalog.rows:,} products, {count} queries a cell, k = {K}"
    return Report("search_policies", title, lines, raw, [table], shop.described())


def _measured(shop: Shop, cell: Cell) -> tuple[Cell, Figures, Figures]:
    questions = Questions(shop.catalog.images, cell.queries, cell.matching)
    texts = [f"policy {cell.name} {number}" for number in range(len(cell.queries))]
    postgres.remember(shop, texts, cell.queries)
    with ExitStack() as stack:
        under = stack.enter_context(Sessions(shop, customer(cell.share)))
        free = stack.enter_context(Sessions(shop, FREE))
        policy, filtered = in_turns(
            [
                postgres.search(under, "policy", questions, texts),
                postgres.search(free, "filter", questions, texts, cell.filter),
            ]
        )
    print(
        f"{cell.name}: policy {policy.p50 * 1000:.2f} ms {policy.recall:.3f}; "
        f"filter {filtered.p50 * 1000:.2f} ms {filtered.recall:.3f}; {policy.p50 / filtered.p50:.2f} x",
        flush=True,
    )
    return cell, policy, filtered
