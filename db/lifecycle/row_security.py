"""Finds the tables of a site that do not follow row level security on shop.product."""

from sqlalchemy import Connection, text


def unprotected(conn: Connection) -> list[str]:
    """Return the tables that reveal something about products but do not follow row level security on shop.product.

    A table follows it if row level security is enabled on the table, and if the table has the policy windowshop_follow
    as `follow_row_security` has created it."""
    rows = conn.scalars(
        text(
            "select c.oid::regclass::text from shop_private.row_security_rules() r "
            "join pg_class c on c.oid = r.relation where r.secured and not "
            "(c.relrowsecurity and exists (select from pg_policy o where o.polrelid = c.oid "
            "and o.polname = 'windowshop_follow' and obj_description(o.oid, 'pg_policy') "
            "= concat_ws(chr(10), r.condition, shop_private.policy_print(c.oid)))) order by 1"
        )
    )
    return list(rows)
