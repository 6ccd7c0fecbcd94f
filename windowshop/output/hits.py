"""Prints search results, their SQL, and calibrations."""

import shlex
from pathlib import Path

from psycopg import sql
from rich import box
from rich.console import Console
from rich.table import Table

from db.search.calibration import Calibration
from db.search.statement import ListedProduct, Query, as_sql
from windowshop.output.terminal import plain


def shown_sql(query: Query, image: Path | None = None) -> str:
    """Return the statement in a form that can be pasted into psql. There, psql reads the image file itself."""
    if image is None:
        return as_sql(query).as_string(None) + ";"
    statement = as_sql(query, sql.SQL("decode(:'image', 'base64')")).as_string(None)
    return f"\\set image `base64 < {shlex.quote(str(image))}`\n{statement};"


def print_hits(hits: list[ListedProduct], console: Console | None = None) -> None:
    console = console or Console()
    if not hits:
        console.print("No product matches. Is the catalog loaded and encoded? See: windowshop model list")
        return
    prices = ["" if hit.price is None else f"{hit.price} {hit.currency or ''}".strip() for hit in hits]
    similarities = ["" if hit.similarity is None else f"{hit.similarity:.3f}" for hit in hits]
    numbers, price, similarity = len(str(len(hits))), max(5, *map(len, prices)), len("similarity")
    # Figures are always shown in full. SKU, title and type share the remaining width. If the remaining width is too
    # small, the title shrinks to half of this width; then the type shrinks, and then the SKU.
    remaining = console.width - numbers - price - similarity - 13  # 13 characters are between columns
    sku = min(16, max(len(hit.sku) for hit in hits))
    kind = min(18, max(len(hit.product_type or "") for hit in hits))
    title = min(40, max(len(hit.title) for hit in hits), max(remaining - sku - kind, remaining // 2, 5))
    kind = min(kind, max(4, remaining - sku - title))
    sku = min(sku, max(3, remaining - title - kind))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", justify="right", min_width=numbers)
    table.add_column("sku", no_wrap=True, max_width=sku)
    table.add_column("title", no_wrap=True, max_width=title)
    table.add_column("type", no_wrap=True, max_width=kind)
    table.add_column("price", no_wrap=True, justify="right", min_width=price)
    table.add_column("similarity", no_wrap=True, justify="right", min_width=similarity)
    for number, hit in enumerate(hits):
        texts = map(plain, (hit.sku, hit.title, hit.product_type or ""))
        table.add_row(str(number + 1), *texts, prices[number], similarities[number])
    console.print(table)


def print_calibration(found: Calibration, console: Console | None = None) -> None:
    console = console or Console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("filter passes", "setting", "candidates", f"recall@{found.k}", "95% bound", "ms"):
        table.add_column(column, justify="right")
    for row in found.measured:
        share = "all" if row["filter"] == 1 else f"{row['filter']:.1%}"
        setting = (
            row["kind"] if "kind" in row else ", ".join(f"{n} {row[n]}" for n in ("ef_search", "slack") if n in row)
        )
        table.add_row(
            share,
            setting,
            f"{row['candidates']:.0f}",
            f"{row['recall']:.3f}",
            f"{row['lowest']:.3f}" if "lowest" in row else "",
            f"{row['ms']:.2f}",
        )
    if found.measured:
        console.print(table)
    reached = "the index is not used yet" if found.recall is None else f"recall@{found.k} {found.recall:.3f}"
    console.print(
        f"model {found.model}, {found.products} products, {found.queries} {found.query_kind} queries: {reached}\n"
        f"ef_search {found.ef_search}, slack {found.slack}; up to {found.crossover_rows} matches are always compared "
        f"one by one ({found.exact_us_per_row:.1f} us for each match; {found.hnsw_us_per_candidate:.1f} us for each "
        "candidate of the index)\n"
        f"similarity of a query to a random product: mean {found.background_mean:.3f}, standard deviation "
        f"{found.background_deviation:.3f}",
        highlight=False,
    )
    for row in found.missed():
        share = "no filter" if row["filter"] == 1 else f"a filter that {row['filter']:.1%} of the products pass"
        what = row.get("kind") or share
        console.print(
            f"[yellow]{what}: recall@{found.k} {row['recall']:.3f}, with 95% confidence at least {row['lowest']:.3f}, "
            f"below the target {found.target_recall}.[/yellow]"
        )
    if found.advice is not None:
        console.print(f"[yellow]The cheapest setting with nearly the best recall was kept: {found.advice}.[/yellow]")
