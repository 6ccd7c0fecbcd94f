"""Reads the state and coverage of the site's models, and switches the serving model."""

import time
from dataclasses import dataclass

from sqlalchemy import Connection, text

from db import schema
from db.engine import Database
from db.errors import DatabaseError
from db.work.items import ModelRow

SWITCH_SECONDS = 30.0  # time limit of the attempts to switch while searches run


@dataclass(frozen=True, slots=True)
class Coverage:
    catalog: str
    model: str
    status: str
    products: int
    searchable: int
    waiting: int
    quarantined: int
    without_picture: int
    words_only: int
    counts_are: str = "exact"  # or "about": estimates from a sample


def every_model(conn: Connection) -> list[ModelRow]:
    rows = conn.execute(
        text("select model_id, name, source, revision, dimension, status::text from shop.model order by model_id")
    )
    return [ModelRow(*row) for row in rows]


def coverage(conn: Connection) -> list[Coverage]:
    return [Coverage(*row) for row in conn.execute(text("select * from shop.coverage"))]


def serve_model(database: Database, name: str, *, force: bool = False) -> None:
    """Switch search to a model in one transaction, as the administrator.

    A search locks the views that it reads, so the switch waits for running searches, and later searches queue behind a
    waiting switch. Each attempt to switch therefore waits at most half a second, and the queued searches run before the
    next attempt.

    Raises DatabaseError if the model does not exist or is retired, or if no attempt gets the locks within about 30
    seconds. Without `force`, and while another model serves, it also raises DatabaseError if no encoder runs the model
    or if the model has items to encode.
    """
    deadline = time.monotonic() + SWITCH_SECONDS
    with database.connect(None) as conn:
        while True:
            try:
                with conn.begin():
                    schema.check(conn)
                    conn.execute(text("set local lock_timeout = '500ms'"))
                    conn.execute(text("select shop_private.serve_model(:name, :force)"), {"name": name, "force": force})
                return
            except DatabaseError as error:
                if error.sqlstate != "55P03" or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
