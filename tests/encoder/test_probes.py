"""An encoder answers requests for probes and metrics on a port of its own."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from db.engine import Database
from db.errors import SettingsError
from db.roles import Role
from encoder import service
from encoder.models.loading import load
from encoder.probes import Probes
from encoder.settings import EncoderSettings
from tests.support.databases import admin
from tests.support.processes import wait_until

SETTINGS = EncoderSettings(port=0, device="cpu")


def values(text: str) -> dict[str, float]:
    """Returns the value of each sample of a scrape, by the name of the sample and the values of its labels."""
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_running_encoder_is_ready_and_its_metrics_count_its_work(clip_database: Database, clip_folder: Path) -> None:
    admin(
        clip_database,
        "insert into shop.product (product_id, sku, title) "
        "select shop.product_id(n::text), n::text, 'title ' || n from generate_series(1, 3) n; "
        "insert into shop.product_image (product_id, position, uri) values (shop.product_id('1'), 0, 'https://missing.invalid/missing.jpg')",
    )
    stop, probes = threading.Event(), Probes()
    with probes.serving(SETTINGS) as address, httpx.Client(base_url=str(address)) as client:
        before = client.get("/ready")
        assert (before.status_code, before.json()["reason"]) == (503, "the model is loading")
        assert client.get("/health").json() == {"status": "alive"}
        models = {1: load(str(clip_folder))}
        thread = threading.Thread(
            target=service.run, args=(clip_database, models, SETTINGS), kwargs={"stop": stop, "probes": probes}
        )
        thread.start()
        try:
            wait_until(lambda: client.get("/ready").status_code == 200, 30, "a ready encoder")
            with clip_database.connect(Role.ANALYST) as conn:
                conn.exec_driver_sql("select shop.clip_text('a new query')")
            wait_until(
                lambda: values(client.get("/metrics").text)["windowshop_encoder_encoded_total title"] == 3, 30, "titles"
            )
            answer = client.get("/metrics")
        finally:
            stop.set()
            thread.join()
        assert client.get("/ready").json()["reason"] == "the encoder stops"
        assert client.head("/health").content == b""
        assert client.get("/nothing").status_code == 404
        assert client.post("/health").status_code == 501
    assert answer.headers["Content-Type"].startswith("text/plain")
    shown = values(answer.text)
    assert shown["windowshop_encoder_query_wait_seconds_count"] == 1
    assert shown["windowshop_encoder_query_batch_seconds_count"] == 1
    assert shown["windowshop_encoder_batch_size_sum query"] == 1
    assert shown["windowshop_encoder_batch_size_sum title"] == 3
    assert shown["windowshop_encoder_query_lane_ready"] == 1
    assert shown["windowshop_encoder_towers torch image"] == shown["windowshop_encoder_towers torch text"] == 1
    assert 0 <= shown["windowshop_encoder_heartbeat_age_seconds"] < SETTINGS.lease_seconds
    assert {"windowshop_work_oldest_seconds", "windowshop_work_waiting", "windowshop_work_quarantined"} <= set(shown)
    for stage in ("claim", "prepare", "model", "write"):
        assert shown[f"windowshop_encoder_stage_seconds_count {stage}"] >= 1
    assert shown["process_open_fds"] > 0
    assert any(name.startswith("windowshop_build_info ") for name in shown)
    assert "missing.jpg" not in answer.text and "a new query" not in answer.text


def test_the_backlog_tells_the_age_of_the_oldest_due_item(clip_database: Database) -> None:
    admin(
        clip_database,
        "insert into shop.product (product_id, sku, title) "
        "select shop.product_id(n::text), n::text, 'title ' || n from generate_series(1, 4) n; "
        "insert into shop.product_image (product_id, position, uri) "
        "values (shop.product_id('1'), 0, 'https://a.example/1.jpg'), (shop.product_id('2'), 0, 'https://b.example/2.jpg')",
    )
    state = "select round(oldest_seconds / 100), waiting, quarantined from shop_private.work_backlog('{1}')"
    assert admin(clip_database, state) == [(0, 6, 0)]
    ago = "update shop_private.work set due_at = clock_timestamp() - interval '%s seconds' where %s"
    later = "update shop_private.work set due_at = clock_timestamp() + interval '1 hour'"
    admin(clip_database, later)
    assert admin(clip_database, state) == [(0, 6, 0)]
    admin(clip_database, ago % (500, "host = 'a.example'"))
    assert admin(clip_database, state) == [(5, 6, 0)]
    admin(clip_database, ago % (700, "part = 'title' and product_id = shop.product_id('3')"))
    assert admin(clip_database, state) == [(7, 6, 0)]
    admin(clip_database, ago % (900, "product_id = shop.product_id('4')"))
    admin(clip_database, "update shop_private.work set batch_limit = 1 where product_id = shop.product_id('4')")
    assert admin(clip_database, state) == [(9, 6, 0)]
    admin(clip_database, "update shop_private.work set state = 'quarantined', error = 'x' where part = 'title'")
    assert admin(clip_database, state) == [(5, 2, 4)]
    admin(
        clip_database,
        "insert into shop_private.fetch_host (host, paused_until) "
        "values ('a.example', clock_timestamp() + interval '1 h')",
    )
    assert admin(clip_database, state) == [(0, 2, 4)]
    assert admin(clip_database, "select * from shop_private.work_backlog('{7}')") == [(0, 0, 0)]


def test_metrics_of_the_work_list_are_absent_while_the_database_does_not_answer() -> None:
    from db.errors import DatabaseUnreachable
    from encoder.lanes.batches import Counters

    def unreachable() -> None:
        raise DatabaseUnreachable("no database answers")

    probes = Probes()
    probes.metrics.watch(
        heartbeat_age=lambda: 7.0,
        lane_is_ready=lambda: False,
        counters=Counters(image=2, failed=1),
        read_backlog=unreachable,  # type: ignore[arg-type]
    )
    with probes.serving(SETTINGS) as address:
        shown = values(httpx.get(f"{address}/metrics").text)
    assert not any(name.startswith("windowshop_work") for name in shown)
    assert shown["windowshop_encoder_heartbeat_age_seconds"] == 7
    assert (shown["windowshop_encoder_encoded_total image"], shown["windowshop_encoder_failed_total"]) == (2, 1)
    assert shown["windowshop_encoder_query_lane_ready"] == 0


def test_a_port_in_use_is_an_error_and_without_a_port_there_is_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = EncoderSettings(port=taken.getsockname()[1])
        with pytest.raises(SettingsError, match="cannot listen at 127.0.0.1:"), Probes().serving(settings):
            pass
    with Probes().serving(EncoderSettings()) as address:
        assert address is None


def test_old_heartbeats_and_unready_query_lanes_and_schema_faults_are_reported() -> None:
    class Beats:
        age, lease = 40.0, 30
        is_behind = False
        schema_fault: str | None = None

    class Lane:
        ready = threading.Event()

    heartbeat, lane, probes = Beats(), Lane(), Probes()
    follow: Callable[..., None] = probes.follow
    follow(lane, heartbeat)
    assert probes.fault() == "the last heartbeat was 40 seconds ago"
    heartbeat.age = 1.0
    assert probes.fault() == "the query lane has no connection to the database"
    lane.ready.set()
    heartbeat.schema_fault = "the schema is ahead of this code"
    assert probes.fault() == "the schema is ahead of this code"
    heartbeat.schema_fault, heartbeat.is_behind = None, True
    assert (probes.fault(), probes.is_behind) == (None, True)
    follow(None, heartbeat)
    assert probes.fault() is None
