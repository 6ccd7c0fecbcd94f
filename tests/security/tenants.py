"""Provides a database with fifty tenants. A tenant has a catalog, a role and products whose texts name the tenant."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.support.databases import Databases
from tests.support.shop import Shop

TENANTS = [f"t{number:02d}mark" for number in range(50)]
SKUS = ("1", "2", "3")
FIRST = "00000000-0000-0000-0000-000000000000"  # a product_id that sorts before every other
QUERY = "red shoes"  # the query cache has vectors of this text and of "bags"

# Product 1 of a tenant has a title in quarantine, and product 3 has an image that waits for its host.
CATALOG = """
insert into shop.product (product_id, catalog, sku, title, description, brand, product_type, price, currency, color,
    gtin, mpn, item_group_id, link, image_link, attributes)
select shop.product_id(t || '-' || n, t), t, t || '-' || n, 'red shoes of ' || t, 'made by ' || t, t || ' works',
    t || ' shoes', 10 * n, 'EUR', 'red ' || t, t || n || '77', t || '-mpn-' || n, t || ' group',
    'https://' || t || '.example/' || n, 'https://' || t || '.example/' || n || '.jpg',
    jsonb_build_object(t, t || n, 'pattern', t)
from unnest(%(tenants)s::text[]) t, generate_series(1, 3) n;
insert into shop.product_image (product_id, position, uri, phash)
select p.product_id, 0, case when p.sku like '%%-3' then 'https://' || p.catalog || '.example/slow.jpg' else
    'https://cdn.example/' || p.sku || '.jpg' end, ('x' || left(md5(p.sku), 16))::bit(64) from shop.product p
"""
OTHER_TABLES = """
insert into shop_private.fetch_host (host, failing_since, error)
select t || '.example', now(), 'no answer from ' || t from unnest(%(tenants)s::text[]) t;
insert into shop_private.work (product_id, model_id, part, state, error)
select p.product_id, 1, 'title', 'quarantined', 'cannot read ' || p.title from shop.product p where p.sku like '%%-1';
insert into shop.synonym (catalog, terms)
select t, array[t || ' word', 'word of ' || t] from unnest(%(tenants)s::text[]) t;
create schema erp;
create table erp.margin (sku text, value numeric);
insert into erp.margin select p.sku, p.price from shop.product p where p.catalog = 't08mark';
select shop.add_signal('margin', 'erp.margin', key => 'sku', catalog => 't08mark', weight => 0.1);
insert into shop.signal (name, source, value_column, key, catalog, normalise, defined_by)
select t, 'erp.margin', 'value', 'sku', t, 'log', 'nobody' from unnest(%(tenants)s::text[]) t;
insert into shop.common_word (word, share) select t, 0.02 from unnest(%(tenants)s::text[]) t;
insert into shop.tuning (model_id, name, value, detail) values (1, 'rrf_k', 50, '{}'), (1, 'match:image', 0.3, '{}');
insert into shop.tuning (model_id, name, value, detail) select 1, 'zero_shot:attributes.' || t, 1,
    jsonb_build_object('catalog', t, 'labels', array[t], 'ece', 0.01, 'template', '{}')
from unnest(%(tenants)s::text[]) t;
insert into shop.calibration (model_id, products, k, target_recall, recall, queries, query_kind, ef_search, slack,
    exact_us_per_row, hnsw_us_per_candidate, crossover_rows, background_mean, background_deviation, measured,
    advice)
values (1, 150, 10, 0.98, 0.98, 20, 'text', 77, 0.1, 1, 10, 500, 0.1, 0.05, '[{"products": 150}]', '150 products');
insert into shop.judgement (catalog, query, sku)
select t, 'shoes of ' || t, t || '-1' from unnest(%(tenants)s::text[]) t;
insert into shop.evaluation (run, suite, direction, catalog, model, revision, queries, yardstick, k, metrics)
select 1, t, 'text->hybrid', t, 'toy', '1', 1, 'x', 10, '{}' from unnest(%(tenants)s::text[]) t;
insert into shop.evaluation_query (evaluation_id, query_id, query, results, metrics)
select e.evaluation_id, gen_random_uuid(), 'shoes of ' || e.suite, array[e.suite || '-1'], '{}'
from shop.evaluation e;
insert into shop.event (kind, visitor, catalog, query, results, sku)
select kind, t, t, 'shoes of ' || t, 0, t || '-1' from unnest(%(tenants)s::text[]) t,
    unnest(array['search', 'click']) kind
;
insert into shop.watch (catalog, name, query, condition, created_by)
select t, t, 'shoes of ' || t, 'true', t from unnest(%(tenants)s::text[]) t;
insert into shop.watch_match (watch_id, product_id)
select w.watch_id, p.product_id from shop.watch w, shop.product p where p.sku in (w.name || '-1', 't08mark-2')
"""


class Tenants:
    """The database of the tenants, with one connection that acts as any role."""

    def __init__(self, databases: Databases, template: str) -> None:
        self.shop = Shop(databases.copy(template))
        self.conn = psycopg.connect(
            databases.admin_url(str(self.shop.database.write.database)),
            autocommit=True,
            options="-c max_parallel_workers=0",
        )
        self._fill()
        self.ids = {
            name: set(ids)
            for name, ids in self.conn.execute(
                "select catalog, array_agg(product_id::text) from shop.product group by 1"
            )
        }

    def close(self) -> None:
        for name in TENANTS:
            self.conn.execute(f"drop role if exists {name}")
        self.conn.close()
        self.shop.close()

    def _fill(self) -> None:
        for statement in CATALOG.split(";\n"):
            self.conn.execute(statement, {"tenants": TENANTS})
        self.conn.execute("update shop_private.work set host = null where host like 'cdn.%'")
        self.shop.encode_all()
        for statement in OTHER_TABLES.split(";\n"):
            self.conn.execute(statement, {"tenants": TENANTS})
        for name in TENANTS:
            self.conn.execute(f"create role {name} in role shop_analyst")
        self.shop.cache(QUERY)
        self.shop.cache("bags", seed=1)
        self.conn.execute("analyze")

    @contextmanager
    def acting_as(self, role: str) -> Iterator[None]:
        self.conn.execute(f"set role {role}")
        try:
            yield
        finally:
            self.conn.execute("reset role")

    @contextmanager
    def member_of(self, group: str, role: str) -> Iterator[None]:
        self.conn.execute(f"grant {group} to {role}")
        try:
            yield
        finally:
            self.conn.execute(f"revoke {group} from {role}")

    @contextmanager
    def policies(self, *statements: str) -> Iterator[None]:
        """Create policies on tables of schema shop and enable row level security on shop.product."""
        created = [
            match.groups() for match in (re.match(r"create policy (\w+) on (\S+)", s) for s in statements) if match
        ]
        for statement in statements:
            self.conn.execute(statement)
        self.conn.execute("alter table shop.product enable row level security")
        try:
            yield
        finally:
            for name, table in created:
                self.conn.execute(f"drop policy {name} on {table}")
            self.conn.execute("alter table shop.product disable row level security")

    def answer(self, statement: str) -> "Answer":
        """Run a statement. Returns its rows, its error and its notices as one text."""
        notices: list[str] = []

        def note(notice: psycopg.errors.Diagnostic) -> None:
            notices.append(" ".join(filter(None, (notice.message_primary, notice.message_detail, notice.message_hint))))

        self.conn.add_notice_handler(note)
        try:
            rows: list[Any] = self.conn.execute(statement).fetchall()
            return Answer(rows, "\n".join([*map(str, rows), *notices]))
        except psycopg.Error as error:
            diag = error.diag
            said = [diag.message_primary, diag.message_detail, diag.message_hint, diag.context, *notices]
            return Answer(None, "\n".join(filter(None, said)))
        finally:
            self.conn.remove_notice_handler(note)


class Answer:
    def __init__(self, rows: list[Any] | None, text: str) -> None:
        self.rows, self.text = rows, text
