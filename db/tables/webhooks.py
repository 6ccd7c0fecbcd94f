"""Defines the tables of webhooks: the receivers, the notes about products, and the messages that wait.

Transactions write notes while a webhook that needs them is in use. A transaction writes a note if, for the serving
model, it stores a vector, quarantines an item, or deletes an image with a work item. `windowshop jobs` turns the notes
into messages for each receiver, and sends the messages.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from db.tables.metadata import PRIVATE, metadata

_NOW = text("clock_timestamp()")

webhook = Table(
    "webhook",
    metadata,
    Column("webhook_id", Integer, Identity(always=True)),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("kinds", ARRAY(Text), nullable=False, comment="the kinds of messages: searchable, quarantined, matched"),
    Column("catalogs", ARRAY(Text), comment="the catalogs whose products are reported; null: all"),
    Column("secret", Text, nullable=False, comment="the key of the signatures, as whsec_ and base64"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("delivered_at", DateTime(timezone=True), comment="when the receiver last accepted a message"),
    Column("disabled_at", DateTime(timezone=True), comment="since when nothing is sent; null: the webhook is in use"),
    Column("error", Text, comment="why the last attempt failed, or why the webhook is disabled"),
    PrimaryKeyConstraint("webhook_id"),
    UniqueConstraint("name"),
    CheckConstraint("name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name="name"),
    CheckConstraint("length(url) <= 2000", name="url"),
    CheckConstraint("cardinality(kinds) > 0 and kinds <@ array['searchable', 'quarantined', 'matched']", name="kinds"),
    CheckConstraint("cardinality(catalogs) > 0 and array_position(catalogs, null) is null", name="catalogs"),
    CheckConstraint("length(error) <= 1000", name="error"),
    schema=PRIVATE,
)

webhook_note = Table(
    "webhook_note",
    metadata,
    Column("product_id", Uuid),
    Column("kind", Text),
    Column("noted_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("product_id", "kind"),
    Index("webhook_note_order", "noted_at"),
    schema=PRIVATE,
)

# A webhook is busy while too many messages wait for it. Its notes are kept here, so that the other webhooks get their
# messages meanwhile.
webhook_held = Table(
    "webhook_held",
    metadata,
    Column("webhook_id", Integer, ForeignKey(webhook.c.webhook_id, ondelete="CASCADE")),
    Column("product_id", Uuid),
    Column("kind", Text),
    PrimaryKeyConstraint("webhook_id", "product_id", "kind"),
    schema=PRIVATE,
)

webhook_message = Table(
    "webhook_message",
    metadata,
    Column("message_id", Text, comment="the header webhook-id of every attempt"),
    Column("webhook_id", Integer, ForeignKey(webhook.c.webhook_id, ondelete="CASCADE"), nullable=False),
    Column("body", Text, nullable=False, comment="JSON, sent unchanged in every attempt"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("message_id"),
    Index("webhook_message_due", "webhook_id", "due_at"),
    schema=PRIVATE,
)
