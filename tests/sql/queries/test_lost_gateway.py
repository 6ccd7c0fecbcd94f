"""The connection of the gateway ends while a query waits for its vector, as when the server is killed."""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, text

from db.errors import EncoderUnavailable
from db.roles import Role
from tests.sql.queries.test_gateway import ask, gateways, waiting_requests
from tests.support.processes import wait_until
from tests.support.shop import product

if TYPE_CHECKING:
    from tests.support.shop import Shop


@pytest.fixture
def analyst(shop: "Shop") -> Connection:
    return shop.connect(Role.ANALYST)


@pytest.fixture
def _lost_gateway(shop: "Shop", analyst: Connection) -> Iterator[None]:
    """End the gateway's connection as soon as a request waits. No encoder answers."""

    def end() -> None:
        wait_until(lambda: waiting_requests(shop) > 0, 10, "the request")
        for pid in gateways(shop):
            shop.run("select pg_terminate_backend(:pid)", pid=pid)

    analyst.exec_driver_sql("set shop.timeout_ms = 60000")
    thread = threading.Thread(target=end)
    with shop.encoder(answers=False):
        thread.start()
        yield
        thread.join()


@pytest.mark.usefixtures("_lost_gateway")
def test_a_gateway_connection_that_ends_during_a_call_is_an_error_of_the_encoder(
    shop: "Shop", analyst: Connection
) -> None:
    with pytest.raises(EncoderUnavailable, match="closed the connection of the gateway") as raised:
        ask(analyst, "lost")
    assert raised.value.sqlstate == "WS004"
    analyst.rollback()
    shop.cache("known")
    assert ask(analyst, "known") == 24


@pytest.mark.usefixtures("_lost_gateway")
def test_a_search_goes_on_by_keywords_if_the_gateway_connection_ends(shop: "Shop", analyst: Connection) -> None:
    shop.load(product("a", "a lost thing"))
    shop.encode_all()
    [row] = analyst.execute(text("select sku, reason from shop.search('lost', degrade => true)")).all()
    assert row.sku == "a"
    assert row.reason.startswith("only keywords were searched")
