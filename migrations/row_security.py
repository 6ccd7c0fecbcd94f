"""Creates the event trigger by which the tables of a site follow row level security on shop.product.

Only a superuser may create an event trigger. If the administrator is no superuser, the tables follow at the next
`windowshop db upgrade`, and `windowshop db check` names the tables that do not follow yet.
"""

from sqlalchemy import Connection, text

EVENT_TRIGGER = "windowshop_row_security"


def watch_row_security(conn: Connection) -> None:
    """Create the event trigger, in the transaction of an administrator's connection. Idempotent."""
    if conn.scalar(text("select rolsuper from pg_roles where rolname = current_user")) and not conn.scalar(
        text("select true from pg_event_trigger where evtname = :name"), {"name": EVENT_TRIGGER}
    ):
        conn.execute(
            text(
                f"create event trigger {EVENT_TRIGGER} on ddl_command_end "
                "when tag in ('CREATE TABLE', 'ALTER TABLE', 'CREATE POLICY') "
                "execute function shop_private.row_security_changed()"
            )
        )


def unprotected(conn: Connection) -> list[str]:
    """Return the tables that reveal something about products but do not follow row level security on shop.product."""
    rows = conn.scalars(
        text(
            "select c.oid::regclass::text from shop_private.row_security_rules() r "
            "join pg_class c on c.oid = r.relation "
            "where (select p.relrowsecurity from pg_class p where p.oid = 'shop.product'::regclass) and not "
            "(c.relrowsecurity and exists (select from pg_policy o where o.polrelid = c.oid "
            "and o.polname = 'windowshop_follow' and not o.polpermissive)) order by 1"
        )
    )
    return list(rows)
