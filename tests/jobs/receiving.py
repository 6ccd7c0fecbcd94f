"""Adds webhooks with a receiver, and makes and sends their messages."""

import asyncio
import json
from ipaddress import ip_network
from typing import Any

from procrastinate import App, PsycopgConnector

from db.engine import Database
from db.jobs import webhooks
from db.jobs.deliveries import Deliveries
from db.jobs.settings import JobsSettings
from db.roles import Role
from tests.support.scripted_server import ScriptedServer, response
from tests.support.shop import Shop

OK = response(status=204)


def settings(receiver: ScriptedServer, **changes: Any) -> JobsSettings:
    """Returns settings that allow requests to this receiver."""
    given = {"webhook_networks": [ip_network("127.0.0.1")], "webhook_ports": [receiver.port], "webhook_seconds": 2}
    return JobsSettings(**(given | changes))


def add(shop: Shop, receiver: ScriptedServer, name: str = "hook", **options: Any) -> str:
    """Add a webhook and return its secret."""
    poster = webhooks.make_poster(settings(receiver))
    with shop.database.connect(None) as conn, conn.begin():
        return webhooks.add(
            conn, name, receiver.url("/hook"), options.get("kinds", webhooks.KINDS), options.get("catalogs"), poster
        )


def deliver(database: Database, own: JobsSettings, without: int | None = None) -> None:
    """Make and send the messages that are due, as `windowshop jobs` does. The webhook with the id `without` gets no
    message."""

    async def run() -> None:
        address = database.url(Role.JOBS).set(drivername="postgresql").render_as_string(hide_password=False)
        connector = PsycopgConnector(conninfo=address)
        async with App(connector=connector).open_async():
            sender = Deliveries(own)
            for webhook_id in await sender.make_messages(connector):
                if webhook_id != without:
                    await sender.deliver(connector, webhook_id)

    asyncio.run(run())


def received(receiver: ScriptedServer) -> list[dict[str, Any]]:
    return [json.loads(body) for body in receiver.bodies]


def reported(receiver: ScriptedServer) -> list[str]:
    """Returns the SKUs of all messages, in the order of the messages."""
    return [product["sku"] for message in received(receiver) for product in message["data"]["products"]]


def state(shop: Shop) -> dict[str, Any]:
    [row] = shop.run(
        "select w.disabled_at is not null as is_disabled, w.error, w.delivered_at is not null as is_delivered, "
        "(select count(*) from shop_private.webhook_message) as waiting from shop_private.webhook w"
    )
    return dict(row._mapping)


def due_now(shop: Shop) -> None:
    shop.run("update shop_private.webhook_message set due_at = clock_timestamp()")
