"""`windowshop catalog` lists and drops catalogs, and `windowshop search --sql` shows the catalog of a search. The
tables of results and evaluations fit the terminal."""

import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import text

from db.catalog.product import Image, Product
from db.catalog.store import staging, upsert
from db.engine import Database
from db.evaluation.metrics import Interval
from db.roles import Role
from db.search.statement import ListedProduct, Query, as_sql
from tests.support.databases import admin
from tests.support.processes import windowshop
from windowshop.output import evaluation
from windowshop.output.hits import print_hits

COUNTS = """
    select jsonb_object_agg(t, n) from (
        select 'product' as t, count(*) as n from shop.product union all
        select 'product_image', count(*) from shop.product_image union all
        select 'work', count(*) from shop_private.work union all
        select 'image_root', count(*) from shop_private.image_root union all
        select 'judgement', count(*) from shop.judgement union all
        select 'event', count(*) from shop.event union all
        select 'evaluation', count(*) from shop.evaluation union all
        select 'catalog', count(*) from shop.catalog) s
"""


@pytest.fixture
def env(clip_database: Database, environment: Callable[[Database], dict[str, str]]) -> dict[str, str]:
    """Returns the environment of a database with two catalogs, whose products have the same SKUs."""
    with clip_database.connect(Role.APP) as conn:
        for catalog, folder in (("main", "/srv/main"), ("sample", "/srv/sample")):
            with conn.begin():
                with staging(conn) as stage:
                    for number in range(3):
                        stage(Product(f"A-{number}", f"thing {number} of {catalog}", images=(Image(f"{number}.jpg"),)))
                upsert(conn, catalog=catalog, image_root=Path(folder))
                conn.execute(
                    text("insert into shop.judgement (query, catalog, sku) values ('thing', :catalog, 'A-1')"),
                    {"catalog": catalog},
                )
    return environment(clip_database)


def counts(database: Database) -> dict[str, int]:
    with database.connect(None) as conn:
        return dict(conn.scalar(text(COUNTS)) or {})


def test_the_command_catalog_drop_asks_first_and_deletes_all_rows_of_the_catalog(
    env: dict[str, str], clip_database: Database
) -> None:
    before = counts(clip_database)
    unanswered = windowshop("catalog", "drop", "sample", env=env)  # the standard input is empty
    assert unanswered.returncode == 1
    assert counts(clip_database) == before
    dropped = windowshop("catalog", "drop", "sample", "--yes", env=env)
    assert dropped.stdout == "Catalog sample is deleted, with 3 products.\n", dropped.stderr
    assert {name: 2 * count for name, count in counts(clip_database).items()} == before
    [left] = json.loads(windowshop("catalog", "list", "--json", env=env).stdout)
    assert (left["catalog"], left["products"], left["images"], left["judgements"]) == ("main", 3, 3, 1)
    again = windowshop("catalog", "drop", "sample", "--yes", env=env)
    assert again.returncode == 2
    assert 'there is no catalog "sample"' in again.stderr
    assert "The catalogs are: main." in again.stderr


def test_the_command_catalog_list_shows_each_catalog_with_its_counts(env: dict[str, str]) -> None:
    lines = windowshop("catalog", "list", env=env).stdout.splitlines()
    assert [line.split() for line in lines if "english" in line] == [
        ["main", "english", "3", "3", "1", "0"],
        ["sample", "english", "3", "3", "1", "0"],
    ]


def test_the_sql_of_a_search_names_the_catalog_and_an_unknown_catalog_is_refused(env: dict[str, str]) -> None:
    unknown = windowshop("search", "thing", "--catalog", "nowhere", env=env)
    assert "there is no catalog 'nowhere'" in unknown.stderr
    shown = windowshop("search", "thing", "--catalog", "sample", "--sql", env=env).stdout
    assert "catalog => 'sample'" in shown
    query = Query("thing", where="price < 3 OR price IS NULL -- cheap", catalog="sample")
    assert "WHERE catalog = 'sample' AND (price < 3 OR price IS NULL -- cheap\n)\n" in as_sql(query).as_string(None)


def test_without_the_catalog_main_the_shown_sql_names_the_only_catalog(
    env: dict[str, str], clip_database: Database
) -> None:
    admin(
        clip_database,
        "delete from shop.product where catalog = 'main'; delete from shop.catalog where catalog = 'main'",
    )
    assert "catalog => 'sample'" in windowshop("search", "thing", "--sql", env=env).stdout
    # If the database does not answer, the SQL is shown without a catalog.
    unreachable = {**env, "WINDOWSHOP_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    shown = windowshop("search", "thing", "--sql", env=unreachable)
    assert (shown.returncode, "catalog" in shown.stdout) == (0, False), shown.stderr


def test_the_product_type_is_printed_in_full_if_the_title_is_short() -> None:
    output = io.StringIO()
    hit = ListedProduct("WS-01151", "Shoes", "Clothing & access", Decimal(82), "USD", "in_stock", 0.5)
    print_hits([hit], Console(file=output, width=80))
    assert "Clothing & access " in output.getvalue()


def test_an_evaluation_in_80_columns_prints_each_figure_on_one_line() -> None:
    output = io.StringIO()
    metrics = ["recall@1", "recall@10", "MRR", "nDCG@10", "index recall@10"]
    leg = Interval(0.8123, 0.7801, 0.8452)
    table = evaluation._table("direction", *metrics)
    table.add_row("text->keywords", *(evaluation._interval(leg) for _ in metrics))
    Console(file=output, width=80).print(table)
    words = output.getvalue().split()
    assert (words.count(".812"), words.count("[.780,"), words.count(".845]")) == (5, 5, 5)
    assert {"recall@1", "recall@10", "nDCG@10"} < set(words)


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_of_results_fits_the_terminal_and_shows_each_figure_in_full(width: int) -> None:
    output = io.StringIO()
    hit = ListedProduct(
        "A-VERY-LONG-STOCK-KEEPING-UNIT", "a title " * 20, "Clothing & accessories > Shoes", Decimal("1234567.99"),
        "EUR", "in_stock", 0.123,
    )  # fmt: skip
    print_hits([hit] * 100, Console(file=output, width=width))
    lines = output.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert sum("1234567.99 EUR" in line and "0.123" in line for line in lines) == 100
    assert " 100  A-V" in output.getvalue()
