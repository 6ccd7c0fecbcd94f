"""The metrics count requests and searches, and show the encoder and each standby. No label gets a new value for each
query, product, key or address. docs/api.md lists every metric."""

import re
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from prometheus_client import generate_latest

from db.engine import Database
from tests.support.web_service import SETTINGS
from web.http.metrics import EncoderState, Metrics
from web.server import serve


def test_requests_and_searches_are_counted_at_the_metrics_port(
    shop_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    import uvicorn

    said: list[str] = []
    ports: list[int] = []
    servers: list[uvicorn.Server] = []
    whole = Metrics.serve

    def listening(self: Metrics, host: str, port: int) -> object:
        ports.append((made := whole(self, host, port))[0])
        return made

    monkeypatch.setattr(Metrics, "serve", listening)
    monkeypatch.setattr("web.http.database.TIMED_SEARCHES", 1)
    run = uvicorn.Server.run
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: (servers.append(self), run(self, sockets))[1])
    settings = SETTINGS.model_copy(update={"metrics_port": 0})
    thread = threading.Thread(target=serve, args=(shop_database, settings, said.append))
    thread.start()
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as client:
            while not servers or not servers[0].started:
                thread.join(0.01)
            client.post(f"{said[0]}/search/text", json={"query": "bag", "filter": {"sku": "sku 1"}})
            client.get(f"{said[0]}/products/sku 1")
            client.get(f"{said[0]}/no/such/thing")
            client.post(f"{said[0]}/search", json={"query": "red", "inputs": [{"text": "laces"}, {"sku": "sku 1"}]})
            client.post(f"{said[0]}/search", json={"query": "nobody ever asked this"})  # no encoder answers
            assert client.get(f"{said[0]}/metrics").status_code == 404
            shown = client.get(f"http://127.0.0.1:{ports[0]}/metrics").text
    finally:
        servers[0].should_exit = True
        thread.join(60)
    assert 'windowshop_http_requests_total{method="POST",route="/search/text",status="200"} 1.0' in shown
    assert 'windowshop_search_seconds_count{kind="text",route="exact"} 1.0' in shown
    assert 'windowshop_search_leg_seconds_count{leg="image",route="exact"}' in shown
    assert 'windowshop_search_leg_seconds_count{leg="keyword",route="keyword"}' in shown
    assert 'windowshop_search_leg_seconds_count{leg="query",route="none"}' in shown
    assert 'windowshop_search_short_total{kind="text"} 1.0' in shown
    assert 'windowshop_query_cache_total{answer="hit"} 3.0' in shown
    assert 'windowshop_query_cache_total{answer="miss"} 1.0' in shown
    assert "windowshop_encoder_running 0.0" in shown
    assert 'windowshop_encoder_waiting{lane="query"} 0.0' in shown
    assert 'route="unmatched"' in shown
    assert "windowshop_build_info{" in shown and "process_open_fds " in shown
    assert "sku 1" not in shown
    build = {"version", "schema_revision"}
    known = {"method", "route", "status", "le", "kind", "pool", "answer", "lane", "leg"} | build
    assert set(re.findall(r"(\w+)=\"", shown)) <= known


def scraped(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_the_state_of_the_encoder_is_read_at_the_first_scrape_and_then_cached() -> None:
    asked: list[EncoderState | None] = []

    def ask() -> EncoderState | None:
        asked.append(SimpleNamespace(running=True, waiting_queries=3, waiting_items=4, quarantined_items=5))
        return asked[-1]

    metrics = Metrics()
    metrics.watch_encoder(ask)
    assert asked == []
    shown = scraped(metrics)
    assert scraped(metrics) == shown
    assert len(asked) == 1
    assert 'windowshop_encoder_waiting{lane="query"} 3.0' in shown
    assert 'windowshop_encoder_waiting{lane="catalog"} 4.0' in shown
    assert "windowshop_encoder_quarantined 5.0" in shown


def test_the_metrics_of_the_encoder_are_absent_without_a_database() -> None:
    metrics = Metrics()
    metrics.watch_encoder(lambda: None)
    assert "windowshop_encoder" not in scraped(metrics)


def test_the_lag_of_each_standby_is_shown_except_while_it_is_unknown() -> None:
    metrics = Metrics()
    late, lost = (SimpleNamespace(name=name, lag=1.5, is_usable=True) for name in ("db2:5432", "db3:5432"))
    metrics.watch_standbys(SimpleNamespace(readers=[late, lost], reads_on_primary=True, primary_answers=False))
    lag = 'windowshop_standby_lag_seconds{standby="%s"}'
    assert lag % "db2:5432" + " 1.5" in scraped(metrics) and lag % "db3:5432" + " 1.5" in scraped(metrics)
    lost.lag, lost.is_usable = None, False
    shown = scraped(metrics)
    assert lag % "db2:5432" in shown and lag % "db3:5432" not in shown
    used = 'windowshop_standby_used{standby="%s"} %s'
    assert used % ("db2:5432", "1.0") in shown and used % ("db3:5432", "0.0") in shown
    assert "windowshop_reads_on_primary 1.0" in shown and "windowshop_primary_answers 0.0" in shown


def test_every_metric_is_documented() -> None:
    metrics = Metrics()
    metrics.watch_encoder(lambda: SimpleNamespace(running=1, waiting_queries=0, waiting_items=0, quarantined_items=0))
    metrics.watch_standbys(SimpleNamespace(readers=[], reads_on_primary=False, primary_answers=True))
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    there = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in metrics.registry.collect()
    }
    assert there == set(re.findall(r"^\| `(windowshop_\w+)`", page, re.MULTILINE))
