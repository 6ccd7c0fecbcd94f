"""A dump of a site on PostgreSQL 17 is restored into PostgreSQL 18 with the commands of docs/operations.md, and gives
the same answers."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from db.embedded.server import binary
from db.engine import Database, open_database
from db.lifecycle.serving import serve_model
from db.settings import Settings
from migrations.model_revisions import add_model
from migrations.upgrade import upgrade
from tests.db.embedded.test_releases import QUERIES, answers, compare
from tests.operations.page import administrator, block, done, shell
from tests.support.postgres.cluster import Cluster, in_root
from tests.support.postgres.debian import PROGRAMS
from tests.support.shop import TOY, Shop, product

pytestmark = pytest.mark.soak


def settings(cluster: Cluster, home: Path, name: str = "shop") -> Settings:
    return Settings(home=home, database_url=SecretStr(cluster.url(name)))


@pytest.fixture(scope="module")
def old(
    server_home: Path, debian: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cluster, list[list[tuple[Any, ...]]]]]:
    """Yields a server of PostgreSQL 17 with a site, and its answers to 50 queries."""
    home = tmp_path_factory.mktemp("home")
    cluster = Cluster.create(server_home, debian / "old", programs=PROGRAMS, root=debian)
    cluster.start()
    try:
        cluster.sql("create database shop template template0")
        given = settings(cluster, home)
        with open_database(given) as database:
            upgrade(database, given)
            add_model(database, given, TOY)
            serve_model(database, TOY.name)
            shop = Shop(database)
            shop.load(*(product(f"p{number}") for number in range(300)))
            shop.encode_all()
            for seed, query in enumerate(QUERIES):
                shop.cache(query, seed=seed)
            shop.close()
            assert str(shop_version(database)).startswith("17.")
            yield cluster, answers(database)
    finally:
        cluster.run("pg_ctl", "stop", "-w", f"-D{cluster.data}", "-m", "immediate")


def shop_version(database: Database) -> Any:
    with database.connect(None) as conn:
        return conn.exec_driver_sql("select current_setting('server_version')").scalar()


def check(cluster: Cluster, home: Path, expected: list[list[tuple[Any, ...]]]) -> None:
    with open_database(settings(cluster, home)) as database:
        assert str(shop_version(database)).startswith("18.")
        compare(answers(database), expected)
        with database.connect(None) as conn:
            assert conn.exec_driver_sql("select count(*) from shop_private.work").scalar() == 0
            assert conn.exec_driver_sql("select shop_private.gateway_is_elsewhere()").scalar() is False
            outdated = (
                "select count(*) from pg_extension e join pg_available_extensions a on a.name = e.extname "
                "where e.extversion <> a.default_version"
            )
            assert conn.exec_driver_sql(outdated).scalar() == 0


def test_a_dump_of_postgresql_17_is_restored_into_postgresql_18(
    old: tuple[Cluster, list[list[tuple[Any, ...]]]], server_home: Path, public_folder: Path, tmp_path: Path
) -> None:
    cluster, expected = old
    assert cluster.root is not None
    programs = binary(server_home, "psql")[0].parent
    new = Cluster.create(server_home, public_folder / "from-17")
    new.start()
    try:
        env = administrator(new, "shop", tmp_path / "home", programs)
        env |= {"PGHOST": "127.0.0.1", "PGPORT": str(new.port)}
        env |= {"PGUSER": "postgres", "PGPASSWORD": new.password}
        words = ["env", "-C", str(cluster.data), "bash", "-euc", block("dump of 17")]
        old_env = {"PATH": f"{PROGRAMS}:/usr/bin:/bin", "OLD_ADMIN_URL": cluster.url("shop")}
        done(subprocess.run([*in_root(cluster.root), *words], env=old_env, capture_output=True, text=True, check=False))
        shutil.move(cluster.data / "shop.dump", tmp_path)
        shown = done(shell(block("restore", {r"postgresql://\S+": new.url("shop")}), env, tmp_path))
        assert "No difference." in shown
        check(new, tmp_path / "home", expected)
    finally:
        new.stop("immediate")
