"""Row level security on shop.product extends to the tables that reveal something about products."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing: the functions in db/functions/row_security and migrations/row_security.py do all the work."""


def downgrade() -> None:
    quote = op.get_bind().dialect.identifier_preparer.quote
    roles = op.get_context().opts["roles"]
    op.execute("reset role")  # the event trigger belongs to a superuser
    op.execute("drop event trigger if exists windowshop_row_security")
    op.execute(f"set role {quote(roles['owner'])}")
    op.execute(
        """
        do $$ declare t regclass; begin
            for t in select p.polrelid from pg_policy p where p.polname = 'windowshop_follow' loop
                execute format('drop policy windowshop_follow on %s', t);
                execute format('drop policy if exists windowshop_pass on %s', t);
                if not exists (select from pg_policy p where p.polrelid = t) then
                    execute format('alter table %s disable row level security', t);
                end if;
            end loop;
        end $$"""
    )
    op.execute("drop view if exists shop.quarantine")  # the downgrades of earlier revisions drop tables that it reads
    readers = ", ".join(quote(roles[role]) for role in ("analyst", "app"))
    op.execute(
        "revoke select (product_id, model_id, part, position, state, error, host) on shop_private.work "
        f"from {readers}"
    )
    op.execute(
        f"revoke select (host, failing_since, paused_until, error) on shop_private.fetch_host from {readers}"
    )
    op.execute(f"revoke insert, update on shop.catalog from {quote(roles['app'])}")
