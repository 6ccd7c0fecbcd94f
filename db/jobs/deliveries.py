"""Turns notes about products into messages, and delivers the messages of each webhook.

A message that the receiver did not accept is sent again after growing pauses. Every attempt has the same webhook-id and
the same body. A message is deleted after ATTEMPTS attempts, or when an attempt fails more than LONGEST_HOURS after the
message was made. The webhook is then disabled if the receiver has accepted nothing since that message was made. The
webhook is also disabled if the receiver answers 410, or if the last attempt failed and more than MOST_WAITING messages
wait.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog
from procrastinate import PsycopgConnector

from db.errors import SettingsError
from db.jobs import webhooks
from db.jobs.settings import JobsSettings

if TYPE_CHECKING:
    from db.fetching.posting import Poster

log = structlog.get_logger()

NOTES = 1_000  # notes that one transaction turns into messages
MOST_WAITING = 10_000  # messages; a webhook with more is disabled if its last attempt failed
# While more messages than this wait for a receiver that accepts messages, no further messages are made for it.
BUSY = 1_000
# Seconds before the next attempt, after each failed attempt. These are the pauses that Standard Webhooks recommends.
PAUSES = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
ATTEMPTS = len(PAUSES) + 1
# The pauses add up to 75.6 hours. A backlog can delay attempts, and an attempt that begins after this time is the last.
LONGEST_HOURS = 76
RUN_SECONDS = 60.0  # time after which a job begins no further attempt; the next job continues
FAILURES = 3  # failed attempts in a row after which a job ends, because the receiver seems to be down

_TAKE = "select shop_private.webhook_messages(%s, %s)"
_DUE = (
    "select distinct m.webhook_id from shop_private.webhook_message m join shop_private.webhook w using (webhook_id) "
    "where m.due_at <= clock_timestamp() and w.disabled_at is null"
)
_NEXT = (
    "select m.message_id, m.body, m.attempts, m.created_at < clock_timestamp() - make_interval(hours => %s), "
    "w.url, w.secret, w.name from shop_private.webhook_message m "
    "join shop_private.webhook w using (webhook_id) "
    "where m.webhook_id = %s and m.due_at <= clock_timestamp() and w.disabled_at is null "
    "order by m.due_at, m.created_at limit 1"
)
_DONE = "delete from shop_private.webhook_message where message_id = %s"
_ACCEPTED = (
    "update shop_private.webhook set delivered_at = clock_timestamp(), error = null "
    "where webhook_id = %s and disabled_at is null"
)
_AGAIN = (
    "update shop_private.webhook_message set attempts = attempts + 1, "
    "due_at = clock_timestamp() + make_interval(secs => %s) where message_id = %s"
)
_FAILED = "update shop_private.webhook set error = %s where webhook_id = %s and disabled_at is null"
_IS_DEAD = (
    "select w.delivered_at is null or w.delivered_at < m.created_at from shop_private.webhook_message m "
    "join shop_private.webhook w using (webhook_id) where m.message_id = %s"
)
_DISABLE = (
    "update shop_private.webhook set disabled_at = clock_timestamp(), error = %s "
    "where webhook_id = %s and disabled_at is null",
    "delete from shop_private.webhook_message where webhook_id = %s",
)
_DISABLE_FULL = (
    "update shop_private.webhook w set disabled_at = clock_timestamp(), error = %s "
    "where w.disabled_at is null and w.error is not null and %s < "
    "(select count(*) from shop_private.webhook_message m where m.webhook_id = w.webhook_id) returning w.name"
)
_DELETE_OF_DISABLED = (
    "delete from shop_private.webhook_message m using shop_private.webhook w "
    "where m.webhook_id = w.webhook_id and w.disabled_at is not null"
)


class Deliveries:
    def __init__(self, settings: JobsSettings) -> None:
        self._settings = settings
        self._poster: Poster | None = None
        # There is a thread for each webhook that may exist, so that no receiver waits for another.
        self._threads = ThreadPoolExecutor(webhooks.MAX_WEBHOOKS, "webhook")

    async def make_messages(self, connector: PsycopgConnector) -> list[int]:
        """Turn notes into messages, but not for busy receivers (see BUSY). Disable each webhook whose last attempt
        failed and for which more than MOST_WAITING messages wait.

        Returns the ids of the webhooks with due messages.
        """
        taken = NOTES
        while taken == NOTES:
            async with connector.pool.connection() as conn:
                [taken] = await (await conn.execute(_TAKE, (NOTES, BUSY))).fetchone() or [0]
                reason = f"more than {MOST_WAITING} messages wait"
                disabled = await (await conn.execute(_DISABLE_FULL, (reason, MOST_WAITING))).fetchall()
                await conn.execute(_DELETE_OF_DISABLED)
            for [name] in disabled:
                log.warning("a webhook is disabled", webhook=name, reason=reason)
        async with connector.pool.connection() as conn:
            return [row[0] for row in await (await conn.execute(_DUE)).fetchall()]

    async def deliver(self, connector: PsycopgConnector, webhook_id: int) -> None:
        """Send the due messages of a webhook, in the order in which they became due.

        Stops after RUN_SECONDS, or after FAILURES failed attempts in a row.
        """
        try:
            poster = self._poster = self._poster or webhooks.make_poster(self._settings)
        except SettingsError as error:
            log.warning("no message of a webhook can be sent", error=error.message)
            return
        end, failures = time.monotonic() + RUN_SECONDS, 0
        while time.monotonic() < end and failures < FAILURES:
            async with connector.pool.connection() as conn:
                row = await (await conn.execute(_NEXT, (LONGEST_HOURS, webhook_id))).fetchone()
            if row is None:
                return
            message_id, body, attempts, is_old, url, secret, name = row
            sent = await self._send(poster, url, secret, message_id, body)
            failures = 0 if sent.failure is None else failures + 1
            async with connector.pool.connection() as conn:
                await self._record(conn, webhook_id, name, message_id, attempts + 1, is_old, sent)

    async def _send(self, poster: "Poster", url: str, secret: str, message_id: str, body: str) -> webhooks.Sent:
        run = asyncio.get_running_loop().run_in_executor
        try:
            return await run(self._threads, webhooks.send, poster, url, secret, message_id, body)
        except Exception as error:  # without this, the same message would be sent again and again without a pause
            log.exception("a message of a webhook could not be sent", message=message_id)
            return webhooks.Sent(type(error).__name__)

    async def _record(
        self, conn: Any, webhook_id: int, name: str, message_id: str, attempts: int, is_old: bool, sent: webhooks.Sent
    ) -> None:
        """Record an attempt. All statements are one transaction, which locks the webhook before its messages."""
        if sent.failure is None:
            await conn.execute(_ACCEPTED, (webhook_id,))
            await conn.execute(_DONE, (message_id,))
            return
        log.warning("a message of a webhook was not accepted", webhook=name, attempts=attempts, error=sent.failure)
        await conn.execute(_FAILED, (sent.failure, webhook_id))
        reason = sent.failure if sent.is_gone else None
        if attempts < ATTEMPTS and not is_old and reason is None:
            await conn.execute(_AGAIN, (PAUSES[attempts - 1], message_id))
            return
        [is_dead] = await (await conn.execute(_IS_DEAD, (message_id,))).fetchone() or [False]
        await conn.execute(_DONE, (message_id,))
        if reason is None and is_dead:
            reason = f"no message was accepted in {attempts} attempts: {sent.failure}"
        if reason is not None:
            await conn.execute(_DISABLE[0], (reason, webhook_id))
            await conn.execute(_DISABLE[1], (webhook_id,))
            log.warning("a webhook is disabled", webhook=name, reason=reason)
