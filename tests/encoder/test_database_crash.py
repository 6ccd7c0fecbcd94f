"""PostgreSQL is killed while an encoder works. No committed vector is lost, the encoder continues without a restart,
and the index of images loses at most 0.01 of its recall."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db.embedded import server
from db.engine import Database, open_database
from db.lifecycle.serving import serve_model
from db.settings import Settings
from encoder.models.loading import load
from migrations.model_revisions import NewModel, add_model
from tests.support.images import load_drawings
from tests.support.processes import running_encoder, wait_until


@pytest.fixture
def own_server_database(
    public_folder: Path, clip_folder: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Database, Settings]]:
    """Yields a database on a server that only this test uses, so that the test may kill the server.
    fsync is on, so the server must keep every committed row."""
    settings = Settings(home=public_folder / f"crash-{request.node.name.replace('[', '-').rstrip(']')}")
    with open_database(settings) as database:
        model = load(str(clip_folder))
        add_model(database, settings, NewModel("clip", model.source, model.revision, model.dimension))
        serve_model(database, "clip")
        yield database, settings


@pytest.mark.soak
@pytest.mark.parametrize(("kills", "count"), [(2, 1_500), (20, 12_000)])
def test_killing_the_database_loses_no_committed_vector(
    own_server_database: tuple[Database, Settings], tmp_path: Path, kills: int, count: int
) -> None:
    database, settings = own_server_database
    load_drawings(database, tmp_path / "images", count)
    chance = random.Random(kills)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WINDOWSHOP_")}
    environment |= {"WINDOWSHOP_HOME": str(settings.home), "HF_HUB_OFFLINE": "1"}
    recovery_seconds = []
    with running_encoder(environment, tmp_path / "log"):
        for _ in range(kills):
            time.sleep(chance.uniform(0.2, 1.0))
            committed = vectors(database)
            crash(settings.home)
            restarted = time.monotonic()
            assert committed <= vectors(database)
            before = len(vectors(database))
            if before < 2 * count:
                wait_until(lambda known=before: len(vectors(database)) > known, 60, "a new vector after the restart")
                recovery_seconds.append(time.monotonic() - restarted)
        wait_until(lambda: waiting(database) == 0, 600, "the vectors of all items")
    assert recovery_seconds, "all items were encoded before the first kill"
    slowest = max(recovery_seconds)
    print(f"{len(recovery_seconds)} of {kills} kills interrupted the encoder, which went on within {slowest:.1f} s")
    assert len(vectors(database)) == 2 * count
    with database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop_private.work")) == 0  # nothing is waiting or quarantined
    survived = recall(database)
    with database.connect(None) as conn, conn.begin():
        conn.execute(text("reindex table shop.clip_image"))
    print(f"recall@10 is {survived:.3f}, and {recall(database):.3f} after a rebuild of the index")
    assert survived >= recall(database) - 0.01


def crash(home: Path) -> None:
    """Kills the postmaster with SIGKILL, and waits until the server runs again. Either this function or the encoder
    restarts the server, whichever is first."""
    pid = server.status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: server.status(home).pid != pid, 60, "the end of the postmaster")
    with server.attach(home):  # waits for the end of the server's other processes
        pass


def vectors(database: Database) -> set[tuple[object, ...]]:
    """Returns a tuple for every stored vector: 'image' or 'title', the product, and the position. A title has
    position 0."""
    with database.connect(None) as conn:
        return {
            tuple(row)
            for row in conn.execute(
                text(
                    "select 'image', product_id, position from shop.clip_image "
                    "union all select 'title', product_id, 0 from shop.clip_title"
                )
            )
        }


def waiting(database: Database) -> int:
    with database.connect(None) as conn:
        return int(conn.scalar(text("select count(*) from shop_private.work where state <> 'quarantined'")) or 0)


def recall(database: Database, queries: int = 50, k: int = 10) -> float:
    """Returns recall@k of the index of images, with stored image vectors as queries. A product that is as near as the
    k-th nearest product counts as found."""
    nearest = text(
        "select array(select embedding <=> q.embedding from shop.clip_image order by embedding <=> q.embedding "
        "limit :k) "
        "from (select embedding from shop.clip_image order by product_id limit :queries) q"
    )
    found = []
    for setting in ("set enable_indexscan = off", "set enable_seqscan = off; set hnsw.ef_search = 200"):
        with database.connect(None) as conn:
            conn.exec_driver_sql(setting)
            found.append(list(conn.scalars(nearest, {"k": k, "queries": queries})))
    pairs = zip(*found, strict=True)
    return sum(distance <= exact[-1] + 1e-6 for exact, index in pairs for distance in index) / (queries * k)
