"""Creates the event trigger that extends row level security on shop.product to all tables that reveal something about
products (shop_private.row_security_rules).

Only a superuser may create an event trigger. If the administrator is no superuser, a change of the policies of
shop.product reaches the other tables only at the next `windowshop db upgrade`. Until then, `windowshop db check` names
the tables that differ.
"""

from sqlalchemy import Connection, text

EVENT_TRIGGER = "windowshop_row_security"
TAGS = ["CREATE TABLE", "ALTER TABLE", "CREATE POLICY"]


def watch_row_security(conn: Connection) -> None:
    """Create the event trigger, in the transaction of an administrator's connection. A second call changes nothing."""
    tags = text("select evttags from pg_event_trigger where evtname = :name")
    if (
        conn.scalar(text("select rolsuper from pg_roles where rolname = current_user"))
        and conn.scalar(tags, {"name": EVENT_TRIGGER}) != TAGS
    ):
        listed = ", ".join(f"'{tag}'" for tag in TAGS)
        conn.execute(text(f"drop event trigger if exists {EVENT_TRIGGER}"))
        conn.execute(
            text(
                f"create event trigger {EVENT_TRIGGER} on ddl_command_end when tag in ({listed}) "
                "execute function shop_private.row_security_changed()"
            )
        )
