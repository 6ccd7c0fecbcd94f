"""Defines the tables of the encoders' work list, of the hosts of images, and of the running encoders.

States of a work item:

    pending -> leased        claimed
    leased  -> row deleted   completed: the vector is stored in the same transaction
    leased  -> pending       the worker gave the item back; the lease ran out (if the item was in a batch of several
                             items, its next batch is smaller); or a temporary error (the next attempt is then later)
    leased  -> quarantined   the third attempt failed; the item can never be encoded; or the fetches of the image, or
                             all fetches from its host, failed for about a day
    pending -> quarantined   all fetches from the host failed for a day, and the image has been due for a day
    quarantined -> pending   "windowshop retry"; or a load found the file of the image, which was missing before
    any     -> pending       the title or image changed; or "windowshop encode --again"
    any     -> row deleted   the product, the image or the model was deleted, or the model was retired
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
from sqlalchemy.dialects.postgresql import ARRAY, ENUM

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
        comment="when the lease of all items that the worker has claimed expires",
    ),
    PrimaryKeyConstraint("worker_id"),
    schema=PRIVATE,
)

query_lane = Table(
    "query_lane",
    metadata,
    Column(
        "backend_pid",
        Integer,
        autoincrement=False,
        comment="server process of the connection of the encoder's heartbeat",
    ),
    Column("models", ARRAY(SmallInteger), nullable=False, comment="the models whose queries the encoder answers"),
    Column("reported_at", DateTime(timezone=True), nullable=False, comment="when the encoder last reported"),
    PrimaryKeyConstraint("backend_pid"),
    schema=PRIVATE,
    prefixes=["UNLOGGED"],
)

work = Table(
    "work",
    metadata,
    Column("product_id", Uuid),
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE")),
    Column("part", part),
    Column("position", SmallInteger, server_default="0"),
    Column("state", work_state, nullable=False, server_default="pending"),
    Column(
        "batch_limit",
        SmallInteger,
        comment="largest size of the next batch that contains the item; 1: the item is tried alone; null: no limit",
    ),
    Column(
        "batch_size", SmallInteger, comment="number of items in the batch that a worker encodes; null outside a batch"
    ),
    Column(
        "attempts",
        SmallInteger,
        nullable=False,
        server_default="0",
        comment="number of attempts with the item alone, plus number of batches in which the item failed",
    ),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("worker_id", Uuid),
    Column("error", Text),
    Column("host", Text, comment="the host from which the image is fetched; null for a title and for a file"),
    Column(
        "fetch_failures", SmallInteger, nullable=False, server_default="0", comment="number of failed fetches in a row"
    ),
    PrimaryKeyConstraint("product_id", "model_id", "part", "position"),
    ForeignKeyConstraint(["product_id"], [product.c.product_id], ondelete="CASCADE"),
    CheckConstraint("(state = 'leased') = (worker_id is not null)", name="lease"),
    CheckConstraint("state <> 'quarantined' or error is not null", name="quarantine"),
    CheckConstraint("batch_limit > 0 and batch_size > 0", name="batch"),
    # Finds the next batch of titles or files: those that have been due for longest.
    Index(
        "work_due_idx",
        "model_id",
        "part",
        "due_at",
        postgresql_where=text("state = 'pending' and host is null and batch_limit is null"),
    ),
    # Finds the items of batches whose worker stopped, those with the largest batch_limit first.
    Index(
        "work_limited_idx",
        "model_id",
        "part",
        "batch_limit",
        "due_at",
        postgresql_where=text("state = 'pending' and host is null and batch_limit is not null"),
    ),
    # Finds the hosts of images that must be fetched, and for each host the images that have been due for longest.
    Index(
        "work_fetch_idx",
        "model_id",
        "host",
        "due_at",
        postgresql_where=text("state = 'pending' and host is not null"),
    ),
    Index("work_leased_idx", "worker_id", postgresql_where=text("state = 'leased'")),  # finds a worker's items
    schema=PRIVATE,
)

fetch_host = Table(
    "fetch_host",
    metadata,
    Column("host", Text, comment="name and port of the host, or scheme and bucket of an object store"),
    Column("answered_at", DateTime(timezone=True), comment="when an encoder last recorded an answer; null: never"),
    Column(
        "failures",
        Integer,
        nullable=False,
        server_default="0",
        comment="number of failed fetches in a row; failures during a pause do not count",
    ),
    Column("failing_since", DateTime(timezone=True), comment="time of the first failure after the last answer"),
    Column("paused_until", DateTime(timezone=True), comment="no worker fetches an image before this time"),
    Column("probed_until", DateTime(timezone=True), comment="until this time, only one image is fetched"),
    Column("error", Text, comment="why the last fetch failed"),
    PrimaryKeyConstraint("host"),
    schema=PRIVATE,
)
