"""A site that is restored from a dump or a base backup finds the same products at the same ranks and distances.

Nothing is encoded again. No copy sends a request to the original, whose encoder runs during all tests.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from db.embedded.server import Server
from db.engine import Database, open_database
from db.errors import EncoderUnavailable
from db.settings import Settings
from encoder.models.loading import load
from migrations.model_revisions import NewModel, add_model
from migrations.upgrade import upgrade
from tests.support.images import load_drawings
from tests.support.postgres.cluster import Cluster
from tests.support.processes import ROOT, free_port, running_encoder, wait_until, windowshop

pytestmark = [pytest.mark.deploy, pytest.mark.soak]

PRODUCTS = 40
QUERIES = [f"thing {number} of the shop" for number in range(50)]
SEARCH = (
    "select sku, rank, image_rank, image_distance, title_rank, title_distance, keyword_rank, score "
    "from shop.search(query => %s, k => 20) order by rank"
)
REQUESTS = """
select pg_sequence_last_value(pg_get_serial_sequence('shop_private.request', 'id')::regclass),
       (select count(*) from shop_private.query_embedding)
"""


@dataclass
class Site:
    cluster: Cluster
    home: Path
    name: str = "site"

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("WINDOWSHOP_")}
        address = self.cluster.url(self.name)
        return {**kept, "WINDOWSHOP_DATABASE_URL": address, "WINDOWSHOP_HOME": str(self.home), "HF_HUB_OFFLINE": "1"}

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, database_url=self.cluster.url(self.name))  # type: ignore[arg-type]

    def run(self, *words: str, code: int = 0) -> str:
        done = windowshop(*words, env=self.environment)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def sql(self, statement: str) -> list[Any]:
        return self.cluster.sql(statement, self.name)

    def answers(self, queries: Sequence[str] = tuple(QUERIES)) -> list[list[tuple[Any, ...]]]:
        with open_database(self.settings) as database, database.connect(None) as conn:
            return [[tuple(row) for row in conn.exec_driver_sql(SEARCH, (query,))] for query in queries]

    def ask(self, query: str) -> str:
        """Search for a new text. Returns the first SKU, or the error."""
        try:
            return str(self.answers([query])[0][0][0])
        except EncoderUnavailable as error:
            return error.message


@pytest.fixture(scope="module")
def original(public_folder: Path, server: Server, server_home: Path, clip_folder: Path) -> Iterator[Site]:
    """Yields a site that archives its WAL. Its encoder has encoded every product and the 50 queries."""
    folder = public_folder / "original"
    archive = f"sh {ROOT}/deploy/backup/archive-wal.sh {folder}/backup %p %f"
    settings = ("archive_mode = on", f"archive_command = '{archive}'", "shop.timeout_ms = 30000")
    cluster = Cluster.create(server_home, folder, *settings)
    cluster.own(folder / "backup")
    cluster.start()
    site = Site(cluster, folder / "home")
    try:
        cluster.sql("create database site template template0")
        with open_database(site.settings) as database:
            upgrade(database, site.settings)
            _fill(database, site, clip_folder, folder)
            with running_encoder(site.environment, folder / "encoder.log"):
                wait_until(lambda: site.sql("select count(*) from shop_private.work") == [(0,)], 240, "all encoded")
                site.answers()
                yield site
    finally:
        cluster.stop("immediate")


def _fill(database: Database, site: Site, clip_folder: Path, folder: Path) -> None:
    from db.lifecycle.serving import serve_model

    model = load(str(clip_folder))
    add_model(database, site.settings, NewModel("clip", model.source, model.revision, model.dimension))
    serve_model(database, "clip")
    load_drawings(database, folder / "images", PRODUCTS)


@contextmanager
def untouched(original: Site) -> Iterator[None]:
    """Check that the original gets no request and stores no query vector while the test uses a copy."""
    before = original.sql(REQUESTS)
    yield
    assert original.sql(REQUESTS) == before


def check_copy(original: Site, copy: Site) -> None:
    """Check a restored dump before and after the upgrade that makes it a site of its own."""
    expected = original.answers()
    assert all(len(rows) == 20 for rows in expected)
    vectors = "select (select count(*) from shop.clip_image) + (select count(*) from shop.clip_title)"
    with untouched(original):
        assert "this database is a copy" in copy.run("db", "status", code=3)
        assert "this database is a copy" in copy.ask("a text that nobody has asked")
        copy.run("db", "upgrade")
        assert "gateway: leads to this database" in copy.run("db", "status")
        copy.run("db", "check")
        assert "no encoder" in copy.ask("another text that nobody has asked")
        for found, wanted in zip(copy.answers(), expected, strict=True):
            assert [row[:3] + row[4:5] + row[6:7] for row in found] == [row[:3] + row[4:5] + row[6:7] for row in wanted]
            for one, other in zip(found, wanted, strict=True):
                assert [one[3], one[5], one[7]] == pytest.approx([other[3], other[5], other[7]], abs=1e-9)
        assert copy.sql("select count(*) from shop_private.work") == [(0,)]  # nothing is to be encoded again
        assert copy.sql(vectors) == original.sql(vectors) == [(2 * PRODUCTS,)]
        with running_encoder(copy.environment, copy.home.parent / f"{copy.home.name}.log"):
            assert copy.ask("a text for the encoder of the copy").startswith("p")


def test_a_dump_restored_to_the_same_server_under_another_name_gives_the_same_results(original: Site) -> None:
    cluster = original.cluster
    dump = cluster.done("dump.sh", cluster.data.parent / "backup", original.name)
    cluster.sql("create database other template template0")
    cluster.done("pg_restore", "-h127.0.0.1", "-Upostgres", "--exit-on-error", "--dbname=other", dump)
    check_copy(original, Site(cluster, original.home, "other"))
    cluster.sql("drop database other with (force)")
    original.run("db", "upgrade")  # the sites share the logins, whose passwords the copy's upgrade may have replaced


def test_a_dump_restored_to_another_server_with_an_empty_home_gives_the_same_results(
    original: Site, public_folder: Path, server_home: Path
) -> None:
    backup = original.cluster.data.parent / "backup"
    dump = original.cluster.done("dump.sh", backup, original.name)
    cluster = Cluster.create(server_home, public_folder / "another")
    cluster.start()
    try:
        cluster.sql("create database site template template0")
        copy = Site(cluster, public_folder / "another" / "home")
        assert "shop_gateway" in copy.run("db", "roles")
        cluster.done("pg_restore", "-h127.0.0.1", "-Upostgres", "--exit-on-error", "--dbname=site", dump)
        check_copy(original, copy)
    finally:
        cluster.stop("immediate")


def test_a_server_restored_to_a_time_before_a_deletion_finds_the_deleted_products(
    original: Site, public_folder: Path
) -> None:
    cluster = original.cluster
    backup = cluster.data.parent / "backup"
    cluster.done("base-backup.sh", backup)
    late = "a query from after the backup"
    original.answers([late])
    kept = original.sql("select * from shop.product order by sku")
    expected = original.answers([*QUERIES, late])
    [(before,)] = original.sql("select clock_timestamp()::text from pg_sleep(1.1)")
    [(name,)] = original.sql("select pg_walfile_name(pg_current_wal_lsn())")
    original.sql("delete from shop.product")
    original.sql("select pg_switch_wal()")
    wait_until(lambda: (backup / "wal" / f"{name}.gz").exists(), 60, "the archived deletion")

    copy = Cluster(cluster.home, public_folder / "before" / "data", cluster.port)
    copy.own(copy.data.parent)
    copy.done("restore.sh", backup, copy.data, str(before))
    copy.port = free_port()
    copy.start("-c archive_mode=off")  # the copied archive_command would write into the original's archive
    try:
        site = Site(copy, public_folder / "before" / "home")
        assert site.sql("select * from shop.product order by sku") == kept
        assert original.sql("select count(*) from shop.product") == [(0,)]
        with untouched(original):
            assert "this database is a copy" in site.run("db", "status", code=3)
            assert "this database is a copy" in site.ask("a text that nobody has asked")
            site.run("db", "adopt")
            assert "gateway: leads to this database" in site.run("db", "status")
            assert site.answers([*QUERIES, late]) == expected
            assert "no encoder" in site.ask("another text that nobody has asked")
    finally:
        copy.stop("immediate")


def test_a_server_copied_without_the_scripts_refuses_new_queries_until_it_is_adopted(
    original: Site, public_folder: Path
) -> None:
    cluster = original.cluster
    copy = Cluster(cluster.home, public_folder / "snapshot" / "data", cluster.port)
    copy.own(copy.data.parent)
    copy.done("pg_basebackup", "-h127.0.0.1", "-Upostgres", "-cfast", f"-D{copy.data}")
    copy.port = free_port()
    with (copy.data / "postgresql.conf").open("a") as file:
        file.write("archive_mode = off\n")
    copy.start()
    try:
        site = Site(copy, public_folder / "snapshot" / "home")
        with untouched(original):
            assert "this database is a copy" in site.ask("a text that nobody has asked")
            site.run("db", "adopt")
            assert "no encoder" in site.ask("a text that nobody has asked")
    finally:
        copy.stop("immediate")
