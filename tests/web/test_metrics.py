"""What Prometheus reads: present, and without a label per query, product, key or address."""

import re

import httpx
import pytest
from web_service import SITE

from db.engine import Database
from web.metrics import Metrics
from web.server import serve


def test_metrics_count_requests_and_searches_on_their_own_port(
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
    run = uvicorn.Server.run
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: (servers.append(self), run(self, sockets))[1])
    settings = SITE.model_copy(update={"metrics_port": 0})
    thread = threading.Thread(target=serve, args=(shop_database, settings, said.append))
    thread.start()
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as client:
            while not servers or not servers[0].started:
                thread.join(0.01)
            client.post(f"{said[0]}/search/text", json={"query": "bag", "filter": {"sku": "sku 1"}})
            client.get(f"{said[0]}/products/sku 1")
            client.get(f"{said[0]}/no/such/thing")
            assert client.get(f"{said[0]}/metrics").status_code == 404
            shown = client.get(f"http://127.0.0.1:{ports[0]}/metrics").text
    finally:
        servers[0].should_exit = True
        thread.join(10)
    assert 'windowshop_http_requests_total{method="POST",route="/search/text",status="200"} 1.0' in shown
    assert 'windowshop_search_seconds_count{kind="text",route="exact"} 1.0' in shown
    assert 'windowshop_search_short_total{kind="text"} 1.0' in shown
    assert 'route="unmatched"' in shown
    assert "sku 1" not in shown
    assert set(re.findall(r"(\w+)=\"", shown)) <= {"method", "route", "status", "le", "kind", "pool"}
