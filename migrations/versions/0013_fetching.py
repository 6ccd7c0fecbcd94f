"""Adds the host of each image and the limits of batches to the work list. Also adds the table fetch_host and the column
product_image.file_version."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Computes the same host as the function shop_private.image_host, which does not exist before the end of the upgrade.
HOST = """coalesce(case when i.uri ~ '^https?://'
    then nullif(left(lower(regexp_replace(
        substring(i.uri from '^https?://(?:[^/?#]*@)?([^/?#]*)'), ':(80|443)?$', '')), 255), '')
    else left(substring(i.uri from '^[a-z0-9]+://[^/]+'), 255) end, 'unknown')"""


# The trigger and the functions of the earlier revision. A downgrade creates them again.
EARLIER = (
    """
create or replace function shop_private.work_enqueue(p_product_id uuid, p_part shop_private.part, p_position smallint)
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.work (product_id, model_id, part, position)
    select p_product_id, m.model_id, p_part, p_position
    from shop.model m where m.status in ('building', 'serving')
    on conflict (product_id, model_id, part, position) do update
    set state = 'pending', solo = 0, attempts = 0, due_at = excluded.due_at, worker_id = null, error = null;
$$""",
    """
create or replace function shop_private.product_images_inserted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into shop_private.work (product_id, model_id, part, position)
    select n.product_id, m.model_id, 'image', n.position
    from new_images n, shop.model m where m.status in ('building', 'serving')
    on conflict (product_id, model_id, part, position) do update
    set state = 'pending', solo = 0, attempts = 0, due_at = excluded.due_at, worker_id = null, error = null;
    return null;
end $$""",
    """
create or replace function shop_private.product_image_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform shop_private.work_enqueue(new.product_id, 'image', new.position);
    return null;
end $$""",
    """
create or replace trigger product_image_replaced after update of uri, image_root_id on shop.product_image
for each row when ((old.uri, old.image_root_id) is distinct from (new.uri, new.image_root_id))
execute function shop_private.product_image_changed()""",
)


def upgrade() -> None:
    # A load locks products before the work list. If the order differed here, a deadlock could end a load or the upgrade.
    # The locks on products and images block only writers, because searches must be able to read these two tables.
    op.execute("lock table shop.product, shop.product_image in share row exclusive mode")
    op.execute("lock table shop_private.work in access exclusive mode")
    op.drop_index("work_due_idx", table_name="work", schema="shop_private")
    op.add_column("work", sa.Column("batch_limit", sa.SmallInteger()), schema="shop_private")
    op.add_column("work", sa.Column("batch_size", sa.SmallInteger()), schema="shop_private")
    op.add_column("work", sa.Column("host", sa.Text()), schema="shop_private")
    op.add_column(
        "work",
        sa.Column("fetch_failures", sa.SmallInteger(), server_default="0", nullable=False),
        schema="shop_private",
    )
    op.execute("update shop_private.work set batch_limit = 1 where solo = 1")
    op.execute(
        f"update shop_private.work w set host = {HOST} from shop.product_image i where w.part = 'image' "
        "and i.product_id = w.product_id and i.position = w.position and i.image_root_id is null"
    )
    op.drop_column("work", "solo", schema="shop_private")
    op.create_check_constraint(
        op.f("work_batch_check"), "work", "batch_limit > 0 and batch_size > 0", schema="shop_private"
    )
    for name, columns, condition in (
        ("work_due_idx", ["model_id", "part", "due_at"], "host is null and batch_limit is null"),
        ("work_limited_idx", ["model_id", "part", "batch_limit", "due_at"], "host is null and batch_limit is not null"),
        ("work_fetch_idx", ["model_id", "host", "due_at"], "host is not null"),
    ):
        op.create_index(
            name, "work", columns, schema="shop_private", postgresql_where=f"state = 'pending' and {condition}"
        )
    op.add_column("product_image", sa.Column("file_version", sa.Text()), schema="shop")
    op.create_table(
        "fetch_host",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True)),
        sa.Column("paused_until", sa.DateTime(timezone=True)),
        sa.Column("probed_until", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("host", name=op.f("fetch_host_pkey")),
        schema="shop_private",
    )


def downgrade() -> None:
    op.execute("lock table shop.product in share row exclusive mode")
    op.execute("lock table shop.product_image, shop_private.work in access exclusive mode")
    op.drop_functions(
        "shop_private", "image_host", "work_begin", "work_idle", "fetch_claim", "fetch_failed", "fetch_answered", "fetch_return",
        "work_again",
    )
    op.execute("drop view shop.failing_host")
    op.drop_functions("shop_private", "failing_hosts")
    op.drop_table("fetch_host", schema="shop_private")
    op.execute(EARLIER[-1])
    op.drop_column("product_image", "file_version", schema="shop")
    for name in ("work_fetch_idx", "work_limited_idx", "work_due_idx"):
        op.drop_index(name, table_name="work", schema="shop_private")
    op.drop_constraint(op.f("work_batch_check"), "work", schema="shop_private")
    op.add_column(
        "work", sa.Column("solo", sa.Integer(), server_default="0", nullable=False), schema="shop_private"
    )
    op.execute("comment on column shop_private.work.solo is 'the next attempt: 0 in a batch, 1 alone'")
    op.execute("update shop_private.work set solo = 1 where batch_limit = 1")
    op.create_check_constraint(op.f("work_solo_check"), "work", "solo in (0, 1)", schema="shop_private")
    for column in ("batch_limit", "batch_size", "host", "fetch_failures"):
        op.drop_column("work", column, schema="shop_private")
    op.create_index(
        "work_due_idx", "work", ["model_id", "part", "solo", "due_at"], schema="shop_private",
        postgresql_where="state = 'pending'",
    )
    for function in EARLIER[:-1]:
        op.execute(function)
