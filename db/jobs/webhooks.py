"""Defines webhooks: receivers of signed messages about products (docs/webhooks.md)."""

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, text
from standardwebhooks import Webhook as Signer

from db.errors import SettingsError
from db.tables.catalog import catalog
from db.tables.webhooks import webhook

if TYPE_CHECKING:
    from db.fetching.posting import Poster
    from db.jobs.settings import JobsSettings

KINDS = ("searchable", "quarantined", "matched")
MAX_WEBHOOKS = 20
MAX_URL = 2_000  # characters
SECRET_BYTES = 32
GONE = 410  # a receiver that answers with this status wants no more messages


@dataclass(frozen=True, slots=True)
class ListedWebhook:
    name: str
    url: str
    kinds: list[str]
    catalogs: list[str] | None
    created_at: datetime
    delivered_at: datetime | None
    disabled_at: datetime | None
    error: str | None
    waiting: int  # messages not yet delivered


def make_poster(settings: "JobsSettings") -> "Poster":
    """Returns the object that sends the messages. Raises SettingsError if the HTTP client is not installed."""
    try:
        from db.fetching.addresses import Reachable
        from db.fetching.posting import Poster
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"webhooks need the package {error.name}", hint="Run: pip install 'windowshop[encoder]', or httpx2"
        ) from error
    reachable = Reachable(
        settings.webhook_networks, settings.webhook_ports, settings.webhook_hosts, "WINDOWSHOP_JOBS_WEBHOOK"
    )
    return Poster(reachable, settings.webhook_seconds)


def add(
    conn: Connection, name: str, url: str, kinds: Sequence[str], catalogs: Sequence[str] | None, poster: "Poster"
) -> str:
    """Store a webhook and return its secret. Raises SettingsError if the name is in use, a catalog does not exist, or
    the site has MAX_WEBHOOKS webhooks. Also raises SettingsError if the URL is too long or invalid, or if no message
    may be sent to the URL.
    """
    from db.fetching.posting import NotPosted

    if len(url) > MAX_URL:
        raise SettingsError(f"the URL has {len(url)} characters; at most {MAX_URL} are allowed")
    if any("\0" in given for given in (url, *(catalogs or ()))):
        raise SettingsError("a URL or a catalog cannot contain the character NUL")
    known = conn.execute(select(catalog.c.catalog).order_by(catalog.c.catalog)).scalars().all()
    if unknown := sorted({*(catalogs or ())} - {*known}):
        raise SettingsError(f'there is no catalog "{unknown[0]}"', hint=f"The catalogs: {', '.join(known) or 'none'}.")
    try:
        poster.check(url)
    except NotPosted as error:
        raise SettingsError(f"the URL is refused: {error}") from None
    conn.execute(text("lock table shop_private.webhook in share row exclusive mode"))
    names = conn.execute(select(webhook.c.name)).scalars().all()
    if name in names:
        raise SettingsError(f'there is a webhook "{name}" already', hint=f"windowshop webhook remove {name}")
    if len(names) >= MAX_WEBHOOKS:
        raise SettingsError(f"a site has at most {MAX_WEBHOOKS} webhooks")
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    values = {"name": name, "url": url, "kinds": list(kinds), "catalogs": catalogs and list(catalogs)}
    conn.execute(webhook.insert().values(**values, secret=secret))
    return secret


def every_webhook(conn: Connection) -> list[ListedWebhook]:
    rows = conn.execute(
        text(
            "select name, url, kinds, catalogs, created_at, delivered_at, disabled_at, error, "
            "(select count(*) from shop_private.webhook_message m where m.webhook_id = w.webhook_id) "
            "from shop_private.webhook w order by name"
        )
    )
    return [ListedWebhook(*row) for row in rows]


def remove(conn: Connection, name: str) -> bool:
    """Delete a webhook with its messages. If it was the last webhook, also delete all notes about products that are
    still to be reported (webhook_note)."""
    found = conn.execute(webhook.delete().where(webhook.c.name == name)).rowcount > 0
    conn.execute(text("delete from shop_private.webhook_note where not exists (select from shop_private.webhook)"))
    return found


def test(conn: Connection, name: str, poster: "Poster") -> str | None:
    """Send the message `webhook.test`. Returns None if the receiver accepts the message, otherwise the reason.

    If the receiver accepts the message, a disabled webhook is enabled again. Raises SettingsError for an unknown name.
    """
    c = webhook.c
    row = conn.execute(select(c.url, c.secret).where(c.name == name)).one_or_none()
    if row is None:
        raise SettingsError(f'there is no webhook "{name}"', hint="See: windowshop webhook list")
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")  # as in webhook_queue.sql
    body = json.dumps({"type": "webhook.test", "timestamp": now, "data": {"name": name, "products": []}})
    failure = send(poster, row.url, row.secret, f"msg_{secrets.token_hex(16)}", body).failure
    if failure is None:
        values = {"delivered_at": datetime.now(UTC), "disabled_at": None, "error": None}
        conn.execute(webhook.update().where(c.name == name).values(**values))
    return failure


@dataclass(frozen=True, slots=True)
class Sent:
    failure: str | None  # None: the receiver has accepted the message
    is_gone: bool = False  # the receiver wants no more messages


def send(poster: "Poster", url: str, secret: str, message_id: str, body: str) -> Sent:
    """Send a message with the headers webhook-id, webhook-timestamp and webhook-signature."""
    from db.fetching.posting import NotPosted

    now = datetime.now(UTC)
    headers: dict[str, Any] = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(message_id, now, body),
    }
    try:
        status = poster.post(url, body.encode(), headers)
    except NotPosted as error:
        return Sent(str(error)[:500])
    if 200 <= status < 300:
        return Sent(None)
    if 300 <= status < 400:
        return Sent(f"the receiver redirects ({status}), and redirects are not followed")
    return Sent(f"the receiver answers {status}", is_gone=status == GONE)
