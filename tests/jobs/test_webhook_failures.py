"""A message that a receiver does not accept is sent again. After too many failures, the webhook is disabled.

A note is a row that says that a product must be reported. While a receiver is busy, the notes for this receiver are
held: they do not become messages yet.
"""

from typing import Any

import pytest
from standardwebhooks import Webhook

from db.jobs import deliveries, webhooks
from db.jobs.deliveries import ATTEMPTS
from tests.jobs.receiving import OK, add, deliver, due_now, received, reported, settings, state
from tests.support.scripted_server import ScriptedServer, dripping, redirect, response, scripted_server
from tests.support.shop import Shop

FAILURES = {
    "500": (response(status=500), "the receiver answers 500"),
    "redirect": (
        redirect("http://127.0.0.1/elsewhere", 307),
        "the receiver redirects (307), and redirects are not followed",
    ),
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


def test_a_webhook_is_disabled_after_the_last_attempt_to_send_a_message(shop: Shop, receiver: ScriptedServer) -> None:
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


def test_a_webhook_is_disabled_if_too_many_messages_wait(
    shop: Shop, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_the_webhook_of_a_busy_receiver_is_not_disabled_and_its_notes_wait(
    shop: Shop, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MOST_WAITING", 2)
    monkeypatch.setattr(deliveries, "BUSY", 2)
    monkeypatch.setattr(deliveries, "RUN_SECONDS", -1.0)  # each job ends before it has sent a message
    add(shop, receiver)
    for sku in ("a", "b", "c", "d"):
        shop.add(sku)
        shop.encode_all()
        deliver(shop.database, settings(receiver))
    assert state(shop) == {"is_disabled": False, "error": None, "is_delivered": False, "waiting": 3}
    assert shop.value("select count(*) from shop_private.webhook_note") == 0
    assert shop.value("select count(*) from shop_private.webhook_held") == 1
    monkeypatch.setattr(deliveries, "RUN_SECONDS", 60.0)
    deliver(shop.database, settings(receiver))
    deliver(shop.database, settings(receiver))
    assert [one["data"]["products"][0]["sku"] for one in received(receiver)] == ["a", "b", "c", "d"]


def test_a_busy_receiver_delays_no_other_receiver(
    shop: Shop, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BUSY", 2)
    with scripted_server() as slow:
        slow.answers["/hook"] = OK
        both = settings(receiver, webhook_ports=[receiver.port, slow.port])
        add(shop, receiver, "quick")
        add(shop, slow, "slow", kinds=("searchable",))
        slow_id = shop.value("select webhook_id from shop_private.webhook where name = 'slow'")
        skus = [f"p{number}" for number in range(6)]
        for sku in skus:
            shop.add(sku)
            shop.encode_all()
            deliver(shop.database, both, without=slow_id)  # as if the slow receiver were still busy
        assert reported(receiver) == skus and not slow.requests
        held = "select count(*) from shop_private.webhook_held"
        assert (shop.value("select count(*) from shop_private.webhook_message"), shop.value(held)) == (3, 3)
        shop.run("update shop.product set title = 'new' where sku = 'p5'")  # adds no second held note
        shop.encode_all()
        deliver(shop.database, both, without=slow_id)
        assert reported(receiver) == [*skus, skus[-1]] and shop.value(held) == 3
        for _ in range(2):
            deliver(shop.database, both)
        assert sorted(reported(slow)) == skus
        assert (shop.value(held), shop.value("select count(*) from shop_private.webhook_message")) == (0, 0)


def test_held_notes_of_a_removed_or_disabled_webhook_are_deleted(
    shop: Shop, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BUSY", 0)
    monkeypatch.setattr(deliveries, "RUN_SECONDS", -1.0)
    for name in ("removed", "disabled"):
        add(shop, receiver, name)
    for sku in ("a", "b"):
        shop.add(sku)
        shop.encode_all()
        deliver(shop.database, settings(receiver))
    held = "select count(*) from shop_private.webhook_held"
    assert shop.value(held) == 2
    with shop.database.connect(None) as conn, conn.begin():
        assert webhooks.remove(conn, "removed")
    assert shop.value(held) == 1
    shop.run("update shop_private.webhook set disabled_at = clock_timestamp()")
    deliver(shop.database, settings(receiver))
    assert shop.value(held) == 0


def test_an_attempt_more_than_76_hours_after_the_message_was_made_is_the_last(
    shop: Shop, receiver: ScriptedServer
) -> None:
    receiver.answers["/hook"] = response(status=500)
    add(shop, receiver)
    shop.add("a")
    shop.encode_all()
    deliver(shop.database, settings(receiver))
    due_now(shop)
    shop.run("update shop_private.webhook_message set created_at = created_at - interval '77 hours'")
    deliver(shop.database, settings(receiver))
    reason = "no message was accepted in 2 attempts: the receiver answers 500"
    assert state(shop) == {"is_disabled": True, "error": reason, "is_delivered": False, "waiting": 0}


@pytest.mark.parametrize("status", [204, 500])
def test_a_later_attempt_does_not_replace_the_reason_of_a_disabled_webhook(
    shop: Shop, receiver: ScriptedServer, status: int
) -> None:
    add(shop, receiver)
    shop.add("a")
    shop.encode_all()
    send = webhooks.send

    def disabled_meanwhile(*given: Any) -> webhooks.Sent:
        shop.run("update shop_private.webhook set disabled_at = clock_timestamp(), error = 'the reason'")
        return send(*given)

    receiver.answers["/hook"] = response(status=status)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webhooks, "send", disabled_meanwhile)
        deliver(shop.database, settings(receiver))
    assert len(receiver.requests) == 1
    assert (state(shop)["error"], state(shop)["is_delivered"]) == ("the reason", False)


def test_an_unexpected_error_is_a_failed_attempt(shop: Shop, receiver: ScriptedServer) -> None:
    add(shop, receiver)
    shop.add("a")
    shop.encode_all()
    shop.run("update shop_private.webhook set secret = 'whsec_x'")  # not base64
    deliver(shop.database, settings(receiver))
    assert state(shop) == {"is_disabled": False, "error": "Error", "is_delivered": False, "waiting": 1}
    assert shop.value("select attempts from shop_private.webhook_message where due_at > clock_timestamp()") == 1
