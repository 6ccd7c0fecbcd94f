"""Adds the labels of models: values of a field for whose products a model has HNSW indexes of their own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None
serves = "0023"

# What the settings of a search say about labels:
#   labels                        the labels to which the filter of the search restricts the products
#   label_images, label_titles    the number of vectors of products with these labels
#   label_share                   the share of these products among all products; null if the filter says more
#   label_ef                      the calibrated ef_search of the image indexes of these labels
SETTINGS = {
    "labels": "integer[]",
    "label_images": "double precision",
    "label_titles": "double precision",
    "label_share": "double precision",
    "label_ef": "double precision",
}


def upgrade() -> None:
    op.create_table(
        "label_index",
        sa.Column(
            "label_id",
            sa.Integer(),
            sa.Identity(always=True),
            nullable=False,
            comment="the number in the names of the two indexes",
        ),
        sa.Column("model_id", sa.SmallInteger(), nullable=False, comment="the model"),
        sa.Column(
            "field", sa.Text(), nullable=False, comment="the name of a column, top:product_type, or attributes.<key>"
        ),
        sa.Column(
            "value",
            postgresql.JSONB(),
            nullable=False,
            comment="the value of the field that products with the label have",
        ),
        sa.Column("ef_search", sa.Integer(), comment="the calibrated ef_search of the image index; null: not known"),
        sa.Column("images", sa.Double(), comment="number of images in the index when it was calibrated"),
        sa.ForeignKeyConstraint(
            ["model_id"], ["shop.model.model_id"], name=op.f("label_index_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("label_id", name=op.f("label_index_pkey")),
        sa.UniqueConstraint("model_id", "field", "value", name=op.f("label_index_model_id_field_value_key")),
        schema="shop",
        comment="A row for each value of a field for which a model has HNSW indexes of its own.",
    )
    for name, kind in SETTINGS.items():
        op.execute(f"alter type shop_private.search_settings add attribute {name} {kind}")


def downgrade() -> None:
    # The revisions of the site that add labels depend on this revision, so they are downgraded first. Their downgrades
    # have already dropped the tables of labelled vectors.
    op.execute("drop trigger if exists product_labels_changed on shop.product")
    op.drop_functions("shop_private", "product_labels_changed", "label_store", "label_values", "implied_labels")
    op.drop_functions("shop_private", "search_labels", "leg_source", "label_sample", "label_hnsw_leg", "label_fill")
    op.drop_functions("shop_private", "label_top", "label_rows", "label_scan", "calibration_label", "calibration_labels")
    op.drop_table("label_index", schema="shop")
    for name in SETTINGS:
        op.execute(f"alter type shop_private.search_settings drop attribute {name}")
