"""Defines the table of the feeds that `windowshop jobs` loads on a schedule. The jobs themselves are in the schema
`shop_jobs`, whose tables and functions belong to procrastinate."""

from sqlalchemy import CheckConstraint, Column, DateTime, PrimaryKeyConstraint, SmallInteger, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from db.tables.metadata import PRIVATE, metadata

feed = Table(
    "feed",
    metadata,
    Column("name", Text),
    Column("cron", Text, nullable=False, comment="when the feed is loaded, in UTC: minute hour day month weekday"),
    Column("arguments", ARRAY(Text), nullable=False, comment="the arguments of windowshop load"),
    Column("due_at", DateTime(timezone=True), nullable=False, comment="when the feed is loaded next"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("ended_at", DateTime(timezone=True), comment="when the last load ended"),
    Column("exit_code", SmallInteger, comment="exit code of the last load; negative: the signal that ended it"),
    Column("report", Text, comment="the end of the output of the last load"),
    PrimaryKeyConstraint("name"),
    CheckConstraint("name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name="name"),
    CheckConstraint("length(report) <= 4000", name="report"),
    schema=PRIVATE,
)
