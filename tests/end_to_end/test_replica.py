"""A hot standby answers searches. For a search with a new text, the standby asks the primary for the vector."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from db.embedded.server import Server
from db.engine import Database
from db.roles import Role
from tests.support.images import load_drawings
from tests.support.processes import running_encoder, wait_until, windowshop
from tests.support.servers.replica import streaming_replica

Environment = Callable[[Database], dict[str, str]]


@pytest.fixture
def replica_port(server: Server, server_home: Path, public_folder: Path, clip_database: Database) -> Iterator[int]:
    """Yields the port of a streaming replica of the test run's server."""
    with streaming_replica(server, server_home, public_folder / "replica") as port:
        yield port


def test_a_search_for_a_new_text_works_on_a_read_replica(
    clip_database: Database, replica_port: int, environment: Environment, tmp_path: Path
) -> None:
    env = environment(clip_database)
    load_drawings(clip_database, tmp_path / "images", 30)
    with running_encoder(env, tmp_path / "log"):
        analyst = clip_database.url(Role.ANALYST).set(drivername="postgresql", port=replica_port)
        address = analyst.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as conn:
            assert conn.execute("select pg_is_in_recovery()").fetchone() == (True,)
            count = "select count(*) from shop.searchable"
            wait_until(lambda: conn.execute(count).fetchone() == (30,), 60, "30 products on the replica")
            found = conn.execute(
                "select sku from shop.searchable order by image_embedding <=> "
                "(select shop.clip_text('never asked before')) limit 5"
            ).fetchall()
            assert len(found) == 5
            for search in (
                'select sku from shop.search(\'asked on the replica\', filter => \'{"sku": {"ne": "x"}}\', k => 5)',
                "select sku from shop.similar('p3', k => 5)",
                "select step from shop.explain_search('asked on the replica', sku => 'p3') limit 5",
                "select field from shop.facets(fields => array['product_type', 'price'])",
            ):
                assert conn.execute(search).fetchall(), search
        reading = {**env, "WINDOWSHOP_READ_DATABASE_URL": address}
        searched = windowshop("search", "asked by the command line", env=reading)
        assert searched.returncode == 0, searched.stderr
        assert "thing" in searched.stdout
