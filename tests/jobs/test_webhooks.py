"""Receivers get signed messages when products become searchable or are quarantined. Broken receivers harm nobody."""

import asyncio
import json
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from procrastinate import App, PsycopgConnector
from standardwebhooks import Webhook, WebhookVerificationError
from typer.testing import CliRunner

from db.engine import Database
from db.errors import SettingsError
from db.jobs import deliveries, webhooks
from db.jobs.deliveries import ATTEMPTS, Deliveries
from db.jobs.settings import JobsSettings
from db.roles import Role
from tests.support.processes import wait_until
from tests.support.scripted_server import ScriptedServer, dripping, redirect, response, scripted_server
from tests.support.shop import Shop, Worker, product

OK = response(status=204)


@pytest.fixture
def receiver() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        server.answers["/hook"] = OK
        yield server


def settings(receiver: ScriptedServer, **changes: Any) -> JobsSettings:
    """Returns settings that allow this receiver."""
    given = {"webhook_networks": [ip_network("127.0.0.1")], "webhook_ports": [receiver.port], "webhook_seconds": 2}
    return JobsSettings(**(given | changes))


def add(shop: Shop, receiver: ScriptedServer, name: str = "hook", **options: Any) -> str:
    """Add a webhook and return its secret."""
    poster = webhooks.make_poster(settings(receiver))
    with shop.database.connect(None) as conn, conn.begin():
        return webhooks.add(
            conn, name, receiver.url("/hook"), options.get("kinds", webhooks.KINDS), options.get("catalogs"), poster
        )


def deliver(database: Database, own: JobsSettings) -> None:
    """Make and send the messages that are due, as `windowshop jobs` does."""

    async def run() -> None:
        address = database.url(Role.JOBS).set(drivername="postgresql").render_as_string(hide_password=False)
        connector = PsycopgConnector(conninfo=address)
        async with App(connector=connector).open_async():
            sender = Deliveries(own)
            for webhook_id in await sender.make_messages(connector):
                await sender.deliver(connector, webhook_id)

    asyncio.run(run())


def received(receiver: ScriptedServer) -> list[dict[str, Any]]:
    return [json.loads(body) for body in receiver.bodies]


def state(shop: Shop) -> dict[str, Any]:
    [row] = shop.run(
        "select w.disabled_at is not null as is_disabled, w.error, w.delivered_at is not null as is_delivered, "
        "(select count(*) from shop_private.webhook_message) as waiting from shop_private.webhook w"
    )
    return dict(row._mapping)


def due_now(shop: Shop) -> None:
    shop.run("update shop_private.webhook_message set due_at = clock_timestamp()")


def test_a_product_is_reported_once_when_its_last_part_is_encoded(shop: Shop, receiver: ScriptedServer) -> None:
    secret = add(shop, receiver)
    shop.load(product("a"), product("text", image_count=0))
    worker = shop.worker()
    worker.complete(worker.claim("title"), "title")
    deliver(shop.database, settings(receiver))
    assert [message["data"]["products"] for message in received(receiver)] == [[{"sku": "text", "catalog": "main"}]]
    worker.complete(worker.claim("image"), "image")
    deliver(shop.database, settings(receiver))
    deliver(shop.database, settings(receiver))
    [_, message] = received(receiver)
    assert (message["type"], message["data"]) == ("product.searchable", {"products": [{"sku": "a", "catalog": "main"}]})
    assert shop.value("select count(*) from shop.searchable where sku = 'a'") == 1
    for (_, headers), body in zip(receiver.requests, receiver.bodies, strict=True):
        assert Webhook(secret).verify(body, dict(headers)) == json.loads(body)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body + b" ", dict(headers))
    assert state(shop) == {"is_disabled": False, "error": None, "is_delivered": True, "waiting": 0}


def test_a_note_that_is_taken_while_another_part_is_being_stored_loses_no_message(
    shop: Shop, receiver: ScriptedServer
) -> None:
    add(shop, receiver)
    shop.add("a")
    title, image = shop.worker(), shop.worker()
    titles, images = title.claim("title"), image.claim("image")
    title.complete(titles, "title")
    with shop.database.connect(Role.ENCODER) as conn, conn.begin():
        Worker(conn, id=image.id).complete(images, "image")
        deliver(shop.database, settings(receiver))  # the vector of the image is not committed yet
        assert received(receiver) == []
    deliver(shop.database, settings(receiver))
    assert [message["type"] for message in received(receiver)] == ["product.searchable"]


def test_a_quarantined_item_is_reported_with_its_reason(shop: Shop, receiver: ScriptedServer) -> None:
    add(shop, receiver)
    shop.add("a")
    worker = shop.worker()
    [item] = worker.claim("image")
    worker.fail(item, "not an image", "image", final=True)
    deliver(shop.database, settings(receiver))
    [message] = received(receiver)
    item_of_message = {"sku": "a", "catalog": "main", "part": "image", "position": 0, "reason": "not an image"}
    assert (message["type"], message["data"]["products"]) == ("product.quarantined", [item_of_message])


def test_a_webhook_gets_only_its_kinds_and_catalogs_and_a_message_has_100_products(
    shop: Shop, receiver: ScriptedServer
) -> None:
    add(shop, receiver, kinds=["searchable"], catalogs=["berlin"])
    shop.load(*(product(f"b{n}", image_count=0) for n in range(250)), into="berlin")
    shop.load(product("m", image_count=0))
    shop.add("broken")
    worker = shop.worker()
    [item] = worker.claim("image")
    worker.fail(item, "not an image", "image", final=True)
    shop.encode_all()
    deliver(shop.database, settings(receiver))
    sizes = sorted(len(message["data"]["products"]) for message in received(receiver))
    assert sizes == [50, 100, 100]
    assert {one["catalog"] for message in received(receiver) for one in message["data"]["products"]} == {"berlin"}


def test_without_a_webhook_nothing_is_noted(shop: Shop) -> None:
    shop.add("a")
    shop.encode_all()
    assert shop.value("select count(*) from shop_private.webhook_note") == 0


def test_a_model_that_does_not_serve_is_not_reported(two_models: Shop, receiver: ScriptedServer) -> None:
    add(two_models, receiver)
    two_models.add("a")
    two_models.encode_all(2, 40)
    assert two_models.value("select count(*) from shop_private.webhook_note") == 0
    two_models.run("delete from shop_private.webhook")


FAILURES = {
    "500": (response(status=500), "the receiver answers 500"),
    "redirect": (redirect("http://127.0.0.1/elsewhere", 307), "the receiver redirects (307), which is not followed"),
    "slow": (dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "no answer within 0.3 seconds"),
    "no HTTP": (b"hello\r\n\r\n", "illegal"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_message_that_is_not_accepted_is_sent_again_unchanged(
    shop: Shop, receiver: ScriptedServer, kind: str
) -> None:
    answer, reason = FAILURES[kind]
    receiver.answers["/hook"] = [answer, OK]
    secret = add(shop, receiver)
    shop.add("a")
    shop.encode_all()
    deliver(shop.database, settings(receiver, webhook_seconds=0.3))
    assert len(receiver.requests) == 1 and reason in state(shop)["error"]
    assert state(shop)["waiting"] == 1 and receiver.paths == ["/hook"]  # a redirect is not followed
    deliver(shop.database, settings(receiver))
    assert len(receiver.requests) == 1  # the pause is not over
    due_now(shop)
    deliver(shop.database, settings(receiver))
    first, second = (headers["webhook-id"] for _, headers in receiver.requests)
    assert first == second and receiver.bodies[0] == receiver.bodies[1]
    assert Webhook(secret).verify(receiver.bodies[1], dict(receiver.requests[1][1]))
    assert state(shop) == {"is_disabled": False, "error": None, "is_delivered": True, "waiting": 0}


def test_a_receiver_that_is_gone_gets_no_more_messages(shop: Shop, receiver: ScriptedServer) -> None:
    receiver.answers["/hook"] = response(status=410)
    add(shop, receiver)
    shop.add("a")
    shop.encode_all()
    deliver(shop.database, settings(receiver))
    assert state(shop) == {
        "is_disabled": True, "error": "the receiver answers 410", "is_delivered": False, "waiting": 0,
    }  # fmt: skip
    shop.add("b")
    shop.encode_all()
    assert shop.value("select count(*) from shop_private.webhook_note") == 0


def test_a_dead_receiver_is_disabled_after_its_last_attempt(shop: Shop, receiver: ScriptedServer) -> None:
    receiver.answers["/hook"] = response(status=500)
    add(shop, receiver)
    shop.add("a")
    shop.encode_all()
    for _ in range(ATTEMPTS):
        assert not state(shop)["is_disabled"]
        deliver(shop.database, settings(receiver))
        due_now(shop)
    reason = "no message was accepted in 10 attempts: the receiver answers 500"
    assert state(shop) == {"is_disabled": True, "error": reason, "is_delivered": False, "waiting": 0}
    assert len(receiver.requests) == ATTEMPTS


def test_messages_that_wait_are_bounded(shop: Shop, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST_WAITING", 2)
    receiver.answers["/hook"] = response(status=500)
    add(shop, receiver)
    for sku in ("a", "b", "c"):
        shop.add(sku)
        shop.encode_all()
        deliver(shop.database, settings(receiver))
    assert state(shop) == {
        "is_disabled": True, "error": "more than 2 messages wait", "is_delivered": False, "waiting": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1/hook", "leads to an address that is not public; WINDOWSHOP_JOBS_WEBHOOK_HOSTS"),
        ("http://169.254.169.254/latest", "leads to an address that is not public"),
        ("http://localhost/hook", "leads to an address that is not public"),
        ("http://[::1]/hook", "leads to an address that is not public"),
        ("ftp://shop.example/", "only http and https are"),
        ("https://user:secret@shop.example/", "a user name or an @"),
        ("https://a.example:8443/", "port 8443 is not allowed; 80 and 443 are, and those of WINDOWSHOP_JOBS_WEBHOOK"),
        ("not a url", "no scheme"),
    ],
)  # fmt: skip
def test_a_forbidden_address_is_refused_when_a_webhook_is_added(shop: Shop, url: str, reason: str) -> None:
    poster = webhooks.make_poster(JobsSettings())
    with shop.database.connect(None) as conn, conn.begin(), pytest.raises(SettingsError) as refused:
        webhooks.add(conn, "hook", url, webhooks.KINDS, None, poster)
    assert reason in refused.value.message
    assert shop.value("select count(*) from shop_private.webhook") == 0


def test_an_address_that_becomes_internal_gets_no_message(shop: Shop, receiver: ScriptedServer) -> None:
    add(shop, receiver)
    shop.add("a")
    shop.encode_all()
    deliver(shop.database, settings(receiver, webhook_networks=[]))
    assert receiver.requests == [] and "not public" in state(shop)["error"]
    assert state(shop)["waiting"] == 1


def test_only_the_jobs_and_the_administrator_read_secrets(shop: Shop, receiver: ScriptedServer) -> None:
    from db.errors import StatementRefused

    add(shop, receiver)
    for role in (Role.APP, Role.ANALYST, Role.ENCODER, Role.WEB_READER, Role.WEB_WRITER):
        with pytest.raises(StatementRefused, match="permission denied"):
            shop.connect(role).exec_driver_sql("select secret from shop_private.webhook")


def test_the_commands_add_test_list_and_remove_a_webhook(
    shop: Shop, receiver: ScriptedServer, environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from windowshop.site.webhook import app

    variables = environment(shop.database)
    variables |= {"WINDOWSHOP_JOBS_WEBHOOK_NETWORKS": "127.0.0.1", "WINDOWSHOP_JOBS_WEBHOOK_PORTS": str(receiver.port)}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    runner = CliRunner()
    secret = runner.invoke(app, ["add", "erp", receiver.url("/hook?key=x"), "--on", "searchable"]).stdout.strip()
    assert secret.startswith("whsec_")
    receiver.answers["/hook?key=x"] = [response(status=410), OK]
    assert "the receiver answers 410" in str(runner.invoke(app, ["test", "erp"]).exception)
    assert "accepted" in runner.invoke(app, ["test", "erp"]).stdout
    assert Webhook(secret).verify(receiver.bodies[1], dict(receiver.requests[1][1]))["type"] == "webhook.test"
    listed = runner.invoke(app, ["list"]).stdout
    assert "erp" in listed and "key=x" not in listed and secret not in listed
    assert "already" in str(runner.invoke(app, ["add", "erp", receiver.url("/hook")]).exception)
    assert "no message found" in str(runner.invoke(app, ["add", "x", receiver.url(), "--on", "found"]).exception)
    assert runner.invoke(app, ["remove", "erp"]).exit_code == 0
    assert 'no webhook "erp"' in str(runner.invoke(app, ["test", "erp"]).exception)


def test_the_jobs_deliver_a_message(shop: Shop, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.jobs.test_jobs import working

    monkeypatch.setattr("db.jobs.worker.LOOK_SECONDS", 1)
    monkeypatch.setattr("db.jobs.worker.POLL_SECONDS", 0.1)
    add(shop, receiver)
    with working(shop.database, None, **settings(receiver).model_dump(exclude_defaults=True)):
        shop.add("a")
        shop.encode_all()
        wait_until(lambda: len(receiver.bodies) == 1, 60, "a message")
    assert received(receiver)[0]["type"] == "product.searchable"
