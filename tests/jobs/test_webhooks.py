"""Receivers get signed messages when products become searchable or are quarantined.

A note is a row that says that a product must be reported. A job takes the notes and turns them into messages.
"""

import json
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from typer.testing import CliRunner

from db.errors import SettingsError
from db.jobs import webhooks
from db.jobs.settings import JobsSettings
from db.roles import Role
from tests.jobs.receiving import OK, add, deliver, received, settings, state
from tests.support.processes import wait_until
from tests.support.scripted_server import ScriptedServer, response
from tests.support.shop import Shop, Worker, product


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


def test_a_webhook_gets_only_its_kinds_and_catalogs_in_messages_of_at_most_100_products(
    shop: Shop, receiver: ScriptedServer
) -> None:
    shop.load(product("first"), into="berlin")
    add(shop, receiver, kinds=["searchable"], catalogs=["berlin"])
    shop.load(*(product(f"b{n}", image_count=0) for n in range(250)), into="berlin")
    shop.load(product("m", image_count=0))
    shop.add("broken")
    worker = shop.worker()
    for item in worker.claim("image"):
        worker.fail(item, "not an image", "image", final=True)
    shop.encode_all()
    deliver(shop.database, settings(receiver))
    sizes = sorted(len(message["data"]["products"]) for message in received(receiver))
    assert sizes == [50, 100, 100]
    assert {one["catalog"] for message in received(receiver) for one in message["data"]["products"]} == {"berlin"}


@pytest.mark.parametrize("end", ["quarantined", "deleted while pending", "deleted while quarantined"])
def test_a_product_is_reported_when_the_last_image_that_waits_is_quarantined_or_deleted(
    shop: Shop, receiver: ScriptedServer, end: str
) -> None:
    if end != "deleted while quarantined":
        add(shop, receiver, kinds=["searchable"])
    shop.add("a", image_count=2)
    worker = shop.worker()
    worker.complete(worker.claim("title"), "title")
    first, second = sorted(worker.claim("image"), key=lambda item: item.position)
    worker.complete([first], "image")
    if end != "deleted while quarantined":
        deliver(shop.database, settings(receiver))  # takes the notes
        assert received(receiver) == []
    if end != "deleted while pending":
        worker.fail(second, "not an image", "image", final=True)
    if end == "deleted while quarantined":
        add(shop, receiver, kinds=["searchable"])
    if end != "quarantined":
        shop.add("a", image_count=1)
    deliver(shop.database, settings(receiver))
    [message] = received(receiver)
    assert (message["type"], message["data"]["products"]) == ("product.searchable", [{"sku": "a", "catalog": "main"}])


def test_a_product_is_not_reported_while_its_title_is_in_quarantine(shop: Shop, receiver: ScriptedServer) -> None:
    shop.add("a")
    shop.encode_all()
    add(shop, receiver, kinds=["searchable"])
    shop.run("update shop.product set title = 'new'")
    worker = shop.worker()
    [item] = worker.claim("title")
    worker.fail(item, "not a text", "title", final=True)
    deliver(shop.database, settings(receiver))
    assert received(receiver) == []


def test_without_a_webhook_nothing_is_noted(shop: Shop) -> None:
    shop.add("a")
    shop.encode_all()
    assert shop.value("select count(*) from shop_private.webhook_note") == 0


def test_vectors_of_a_model_that_does_not_serve_are_not_reported(two_models: Shop, receiver: ScriptedServer) -> None:
    add(two_models, receiver)
    two_models.add("a")
    two_models.encode_all(2, 40)
    assert two_models.value("select count(*) from shop_private.webhook_note") == 0
    two_models.run("delete from shop_private.webhook")


def test_a_webhook_for_an_unknown_catalog_or_with_a_wrong_url_is_refused(shop: Shop, receiver: ScriptedServer) -> None:
    shop.load(product("a"), into="berlin")
    with pytest.raises(SettingsError, match='there is no catalog "hamburg"') as refused:
        add(shop, receiver, catalogs=["berlin", "hamburg"])
    assert refused.value.hint is not None and "berlin" in refused.value.hint
    poster = webhooks.make_poster(settings(receiver))
    for url, reason in ((receiver.url("/" + 2_000 * "x"), "at most 2000 are allowed"), ("http://a/\0", "NUL")):
        with shop.database.connect(None) as conn, conn.begin(), pytest.raises(SettingsError, match=reason):
            webhooks.add(conn, "hook", url, webhooks.KINDS, None, poster)
    add(shop, receiver, catalogs=["berlin"])


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


def test_app_and_analyst_and_encoder_and_web_cannot_read_the_secrets_of_webhooks(
    shop: Shop, receiver: ScriptedServer
) -> None:
    from db.errors import StatementRefused

    add(shop, receiver)
    for role in (Role.APP, Role.ANALYST, Role.ENCODER, Role.WEB_READER, Role.WEB_WRITER):
        with pytest.raises(StatementRefused, match="permission denied"):
            shop.connect(role).exec_driver_sql("select secret from shop_private.webhook")


def test_a_webhook_is_added_and_tested_and_listed_and_removed_by_commands(
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
    sent = Webhook(secret).verify(receiver.bodies[1], dict(receiver.requests[1][1]))
    assert (sent["type"], sent["data"]) == ("webhook.test", {"name": "erp", "products": []})
    assert sent["timestamp"].endswith("Z")
    listed = runner.invoke(app, ["list"]).stdout
    assert "erp" in listed and "key=x" not in listed and secret not in listed
    assert "already" in str(runner.invoke(app, ["add", "erp", receiver.url("/hook")]).exception)
    assert '"found" is not a kind of message' in str(
        runner.invoke(app, ["add", "x", receiver.url(), "--on", "found"]).exception
    )
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
