"""Every recipe of docs/sql.md runs with the role app if the recipe says so, and otherwise with the role analyst. The
recipe for another database runs there as the administrator. The catalog is a part of the sample, encoded with the
starter model. The statements of a program whose driver is not installed are only prepared."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from db.catalog.product import RawProduct
from db.embedded import server
from db.engine import Database
from db.lifecycle.serving import serve_model
from db.roles import Role
from db.settings import Settings
from encoder import starter
from loader.ingest import ingest
from loader.rejects import Reject
from loader.sample import IMAGES, SampleSource
from migrations.model_revisions import NewModel, add_model
from tests.support.databases import Databases, keep_logins
from tests.support.processes import running_encoder, wait_until

COOKBOOK = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")
GUITAR = "WS-00461"

# Recipes need brands, events, judgements, evaluations and a shop's own tables. The sample has none of these.
SURROUNDINGS = f"""
update shop.product set brand = (array['Acme', 'Borealis', 'Casa'])[1 + abs(hashtext(sku) % 3)] where sku like 'WS-%5';
create schema bi authorization shop_app;
create schema sales;
create table sales.orders (order_id bigint primary key, ordered_at timestamptz not null);
create table sales.order_lines (order_id bigint references sales.orders, sku text, quantity integer, price numeric);
insert into sales.orders select n, now() - n * interval '1 hour' from generate_series(1, 40) n;
insert into sales.order_lines
    select 1 + n % 40, sku, 1 + n % 3, price from (select *, row_number() over (order by sku) as n from shop.product) p;
grant usage on schema sales to shop_analyst, shop_app;
grant select on sales.orders, sales.order_lines to shop_analyst, shop_app;
insert into shop.event (kind, query, results, sku, rank) values
    ('search', 'a guitar', 10, null, null), ('search', 'a unicycle', 0, null, null),
    ('click', 'a guitar', null, '{GUITAR}', 1), ('purchase', 'a guitar', null, '{GUITAR}', 1);
insert into shop.judgement (query, sku, grade) values ('a guitar', '{GUITAR}', 3);
insert into shop.evaluation (run, suite, direction, catalog, model, revision, queries, yardstick, k, metrics)
    values (1, 'default', 'text->hybrid', 'main', 'starter', '1', 1, 'one guitar', 10,
        '{{"recall@10": {{"value": 0.8, "low": 0.7, "high": 0.9}}}}');
insert into shop.evaluation_query (evaluation_id, query_id, query, results, metrics)
    select evaluation_id, shop_private.query_id('a guitar', null, null), 'a guitar', array['{GUITAR}'],
        '{{"recall@10": 0.8}}' from shop.evaluation;
"""


@dataclass(frozen=True)
class Recipe:
    heading: str
    text: str
    blocks: list[tuple[str, str]]  # the language and the text of each fenced block

    @property
    def role(self) -> Role:
        return Role.APP if "-- as app\n" in self.blocks[0][1] else Role.ANALYST


def recipes() -> Iterator[Recipe]:
    for section in re.split(r"^###? ", COOKBOOK, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
        if blocks:
            yield Recipe(heading, body.partition("```")[0].strip(), blocks)


RECIPES = list(recipes())


class Part(SampleSource):
    """Reads a part of the sample: the musical instruments, the products that recipes name, and some others. Reads
    GUITAR twice, with two SKUs."""

    def rows(self) -> Iterator[RawProduct | Reject]:
        for row in super().rows():
            sku, kind = ("", "") if isinstance(row, Reject) else (row.fields["sku"], row.fields["product_type"])
            if sku in COOKBOOK or kind == "Musical instruments" or sku.endswith(("05", "50")):
                yield row
                if sku == GUITAR:
                    yield RawProduct({**row.fields, "sku": "offered twice"}, row.images, line=row.line)


@dataclass(frozen=True)
class RecipeRunner:
    database: Database
    folder: Path  # the working folder of psql; it contains an image file
    psql: str
    environment: dict[str, str]

    def address(self, role: Role | None) -> str:
        url = self.database.url(role).set(drivername="postgresql")
        return url.render_as_string(hide_password=False)

    def rows_of_sql(self, block: str, role: Role) -> int:
        if "-- in another database" in block:
            return self.rows_of_another_database(block)
        with psycopg.connect(self.address(role), autocommit=True) as conn:
            return _rows(conn, block)

    def rows_of_another_database(self, block: str) -> int:
        """Run a block in a new database of the same server. The block connects to the shop's database."""
        url, analyst = self.database.url(None), self.database.url(Role.ANALYST)
        names = {
            "db.example": url.host, "5432": url.port, "windowshop": url.database,
            "reports": analyst.username, "secret": analyst.password,
        }  # fmt: skip
        for example, real in names.items():
            block = block.replace(f"'{example}'", f"'{real}'")
        other = url.set(drivername="postgresql", database=f"beside_{url.database}")
        with psycopg.connect(self.address(None), autocommit=True) as conn:
            conn.execute(f"create database {other.database}")  # type: ignore[arg-type]
            try:
                with psycopg.connect(other.render_as_string(hide_password=False), autocommit=True) as there:
                    return _rows(there, block)
            finally:
                conn.execute(f"drop database {other.database} with (force)")  # type: ignore[arg-type]

    def rows_of_python(self, block: str, role: Role) -> int:
        """Run a program that uses psycopg. Returns the number of lines that the program prints.

        The SQL of any other program is only prepared.
        """
        if "import psycopg" not in block:
            return self.statements(block, role)
        done = subprocess.run(
            [sys.executable, "-c", block], env={**self.environment, "DATABASE_URL": self.address(role)},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return len(done.stdout.splitlines())

    def statements(self, block: str, role: Role) -> int:
        """Prepare the SQL statements of a program whose database driver is not installed, and return their number."""
        statements = re.findall(r'"(SELECT [^"]*)"', block)
        with psycopg.connect(self.address(role), autocommit=True) as conn:
            for name, statement in enumerate(statements):
                for place in range(1, statement.count("?") + 1):
                    statement = statement.replace("?", f"${place}", 1)
                conn.execute(f"prepare statement_{name} as {statement}")  # type: ignore[arg-type]
        return len(statements)

    def rows_of_psql(self, block: str, role: Role) -> int:
        """Run a block in psql. Returns the number of rows that psql prints or writes to CSV files."""
        done = subprocess.run(
            [self.psql, "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", self.address(role)],
            input=block, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        rows = len(done.stdout.splitlines())
        for path in self.folder.glob("*.csv"):
            rows += len(path.read_text(encoding="utf-8").splitlines()) - 1  # without the header
            path.unlink()
        return rows


def _rows(conn: psycopg.Connection[Any], block: str) -> int:
    rows = 0
    cursor = conn.execute(block)  # type: ignore[arg-type]  # text of our own docs
    while True:
        rows += cursor.rowcount if cursor.description else 0
        if not cursor.nextset():
            return rows


@pytest.fixture(scope="module")
def runner(
    databases: Databases,
    template: str,
    public_folder: Path,
    server_home: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RecipeRunner]:
    database, home, folder = databases.copy(template), public_folder / "cookbook", tmp_path_factory.mktemp("psql")
    add_model(
        database, Settings(home=home), NewModel(starter.NAME, starter.NAME, starter.revision(), starter.DIMENSION)
    )
    serve_model(database, starter.NAME)
    ingest(database, Part())
    admin = database.url(None).set(drivername="postgresql").render_as_string(hide_password=False)
    shutil.copy(IMAGES / "fluent_1376.webp", folder / "guitar.webp")
    program, libraries = server.binary(server_home, "psql")
    keep_logins(database, home)
    environment = {**os.environ, "WINDOWSHOP_DATABASE_URL": admin, "WINDOWSHOP_HOME": str(home)}
    with psycopg.connect(admin, autocommit=True) as conn, running_encoder(environment, folder / "encoder.log"):
        conn.execute(SURROUNDINGS)  # type: ignore[arg-type]
        waiting = "select sum(waiting), sum(quarantined) from shop.coverage"
        wait_until(lambda: conn.execute(waiting).fetchone() == (0, 0), 240, "the end of encoding")
        conn.execute("vacuum analyze")
        conn.execute("select shop.clip_text('something asked before')")
        yield RecipeRunner(database, folder, str(program), {**os.environ, **libraries})


@pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.heading for recipe in RECIPES])
def test_a_recipe_runs_and_returns_rows_unless_it_says_that_it_returns_none(
    runner: RecipeRunner, recipe: Recipe
) -> None:
    [(language, block)] = recipe.blocks
    run = {
        "sql": runner.rows_of_sql, "psql": runner.rows_of_psql, "python": runner.rows_of_python,
        "js": runner.statements, "java": runner.statements,
    }[language]  # fmt: skip
    assert run(block, recipe.role) > 0 or "-- no rows expected\n" in block


def test_every_recipe_has_a_unique_heading_and_an_explanation() -> None:
    headings = [recipe.heading for recipe in RECIPES]
    assert len(headings) >= 20
    assert len(set(headings)) == len(headings)
    for recipe in RECIPES:
        assert recipe.text, recipe.heading
        assert len(recipe.blocks) == 1, recipe.heading


def test_every_block_of_the_cookbook_belongs_to_a_recipe() -> None:
    assert COOKBOOK.count("```") == 2 * len(RECIPES)
