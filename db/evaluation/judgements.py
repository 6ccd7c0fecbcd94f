"""Adds judgements of how well products answer queries, and reads all judgements of a suite, grouped by query."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg
from sqlalchemy import Connection, text

from db.driver_errors import translated
from db.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Judgement:
    """A row of shop.judgement. The query is a text, an image (bytes, or a product's first image), or both."""

    suite: str
    catalog: str
    query: str | None
    picture: bytes | None
    picture_sku: str | None
    sku: str
    grade: int


@dataclass(frozen=True, slots=True)
class JudgementCounts:
    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query of a suite, with the grades of its judged products by product_id.

    The bytes of a query's image stay in the database.
    """

    suite: str
    catalog: str
    query_id: UUID
    # A name for people: the text, "sku:" with the SKU, or the SHA-256 of the image. A query with a text and an image
    # has two of these names, with " + " between them.
    label: str
    text: str | None
    picture_of: int | None  # the judgement_id of a row that holds the bytes of the query's image
    picture_sku: str | None
    product_id: UUID | None  # the id of the product whose SKU is picture_sku
    grades: Mapping[UUID, int]

    @property
    def kind(self) -> str:
        """The kind of query: "text", "image" or "text+image"."""
        image = "" if self.picture_of is None and self.picture_sku is None else "image"
        return "+".join(filter(None, ("" if self.text is None else "text", image)))


_COLUMNS = "suite, catalog, query, picture, picture_sku, sku, grade"

_STAGE = f"create temporary table staged_judgement on commit drop as select {_COLUMNS} from shop.judgement with no data"

_ADD = f"""
with written as (
    insert into shop.judgement as j ({_COLUMNS}) select {_COLUMNS} from pg_temp.staged_judgement
    on conflict (suite, catalog, query_id, sku) do update set grade = excluded.grade, judged_at = excluded.judged_at
    where j.grade <> excluded.grade
    returning xmax = 0 as added
)
select count(*) filter (where added), count(*) filter (where not added),
    (select count(*) from pg_temp.staged_judgement) - count(*) from written"""


def add(conn: Connection, judgements: Iterable[Judgement]) -> JudgementCounts:
    """Add judgements. If a product has a grade for the same query of the same suite, the new grade replaces it.

    `conn` belongs to the role app, and the caller commits. No two of `judgements` may judge the same product for the
    same query of the same suite.
    """
    conn.execute(text(_STAGE))
    raw = conn.connection.driver_connection
    assert raw is not None
    try:
        with (
            raw.cursor() as cursor,
            cursor.copy(f"copy pg_temp.staged_judgement ({_COLUMNS}) from stdin (format binary)") as copy,
        ):
            copy.set_types(["text", "text", "text", "bytea", "text", "text", "int2"])
            for one in judgements:
                row = (one.suite, one.catalog, one.query, one.picture, one.picture_sku, one.sku, one.grade)
                copy.write_row(row)
    except psycopg.Error as error:  # COPY bypasses SQLAlchemy, where db/engine.py would translate the error
        raise translated(error) from error
    counts = conn.execute(text(_ADD)).one()
    conn.execute(text("drop table pg_temp.staged_judgement"))
    return JudgementCounts(*counts)


_READ = """
select suite, catalog, query_id,
    concat_ws(' + ', min(query), 'sku:' || min(picture_sku),
        min(encode(sha256(picture), 'hex'))) as label,
    min(query) as text, min(judgement_id) filter (where picture is not null) as picture_of,
    min(picture_sku) as picture_sku,
    shop.product_id(min(picture_sku), catalog) as product_id,
    array_agg(shop.product_id(sku, catalog) order by sku) as products, array_agg(grade order by sku) as grades
from shop.judgement
where suite = any (:suites)
group by suite, catalog, query_id
order by suite, catalog, label, query_id"""


def read(conn: Connection, suites: Sequence[str]) -> list[JudgedQuery]:
    """Return every query of the suites. Raises SettingsError for a suite without judgements."""
    queries = [
        JudgedQuery(
            row.suite, row.catalog, row.query_id, row.label, row.text, row.picture_of, row.picture_sku, row.product_id,
            dict(zip(row.products, row.grades, strict=True)),
        )
        for row in conn.execute(text(_READ), {"suites": list(suites)})
    ]  # fmt: skip
    for suite in suites:
        if not any(query.suite == suite for query in queries):
            known = conn.scalars(text("select distinct suite from shop.judgement order by 1")).all()
            raise SettingsError(
                f'suite "{suite}" has no judgements',
                hint=(f"Suites with judgements: {', '.join(known)}. " if known else "")
                + 'Add some with "windowshop judge FILE.csv" (columns query, sku, grade), or by INSERT INTO '
                "shop.judgement (suite, query, sku, grade).",
            )
    return queries


def unknown(conn: Connection, products: Iterable[tuple[str, str]]) -> list[str]:
    """Return the SKUs of the (catalog, SKU) pairs that name no product."""
    pairs = sorted(products)
    rows = conn.execute(
        text(
            "select j.sku from unnest(cast(:catalogs as text[]), cast(:skus as text[])) as j(catalog, sku) "
            "where not exists (select from shop.product p where p.product_id = shop.product_id(j.sku, j.catalog)) "
            "order by 1"
        ),
        {"catalogs": [catalog for catalog, _ in pairs], "skus": [sku for _, sku in pairs]},
    )
    return list(rows.scalars())
