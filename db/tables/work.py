"""Defines the tables of the encoders' work list, and of the running encoders.

States of a work item:

    pending -> leased        claimed
    leased  -> row deleted   completed: the vector is stored in the same transaction
    leased  -> pending       the lease ran out (the next attempt is alone), or a temporary error (the next is later)
    leased  -> quarantined   after the third attempt, or if the item can never be encoded
    any     -> pending       the title or image changed, or an operator retries the item
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM

from db.tables.catalog import product
from db.tables.metadata import PRIVATE, metadata
from db.tables.models import model

part = ENUM("image", "title", name="part", schema=PRIVATE, metadata=metadata)

work_state = ENUM("pending", "leased", "quarantined", name="work_state", schema=PRIVATE, metadata=metadata)

worker = Table(
    "worker",
    metadata,
    Column("worker_id", Uuid),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("device", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("heartbeat_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column(
        "lease_expires_at",
        DateTime(timezone=True),
        nullable=False,
        comment="when the worker's lease expires, which covers all items that the worker has claimed",
    ),
    PrimaryKeyConstraint("worker_id"),
    schema=PRIVATE,
)

work = Table(
    "work",
    metadata,
    Column("product_id", Uuid),
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE")),
    Column("part", part),
    Column("position", SmallInteger, server_default="0"),
    Column("state", work_state, nullable=False, server_default="pending"),
    Column("solo", Integer, nullable=False, server_default="0", comment="the next attempt: 0 in a batch, 1 alone"),
    Column(
        "attempts",
        SmallInteger,
        nullable=False,
        server_default="0",
        comment="number of attempts that began alone or failed in a batch",
    ),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("worker_id", Uuid),
    Column("error", Text),
    PrimaryKeyConstraint("product_id", "model_id", "part", "position"),
    ForeignKeyConstraint(["product_id"], [product.c.product_id], ondelete="CASCADE"),
    CheckConstraint("(state = 'leased') = (worker_id is not null)", name="lease"),
    CheckConstraint("state <> 'quarantined' or error is not null", name="quarantine"),
    CheckConstraint("solo in (0, 1)", name="solo"),
    Index(
        "work_due_idx", "model_id", "part", "solo", "due_at", postgresql_where=text("state = 'pending'")
    ),  # finds the next batch, oldest items first
    Index("work_leased_idx", "worker_id", postgresql_where=text("state = 'leased'")),  # finds a worker's items
    schema=PRIVATE,
)
