"""Adds to calibrations and search settings what an index over the bits of the vectors needs. A bit is the sign of one
number of a vector."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None
serves = "0023"

# What the settings of a search say about bits:
#   image_bits, title_bits    the dimension of the model if the index is over bits; null if it is over vectors
#   bit_candidates            how many candidates of an index over bits a search without a filter compares
SETTINGS = ("image_bits", "title_bits", "bit_candidates")
EF_SEARCH = "calibration_ef_search_check"


def upgrade() -> None:
    op.add_column(
        "calibration",
        sa.Column(
            "bits",
            sa.Integer(),
            nullable=True,
            comment="dimension of the model if the index of images had bits; null: it had vectors",
        ),
        schema="shop",
    )
    op.drop_constraint(op.f(EF_SEARCH), "calibration", schema="shop")
    op.create_check_constraint(
        op.f(EF_SEARCH),
        "calibration",
        "ef_search between 1 and case when bits is null then 1000 else 20000 end",
        schema="shop",
    )
    for name in SETTINGS:
        op.execute(f"alter type shop_private.search_settings add attribute {name} integer")


def downgrade() -> None:
    # The revisions of the site that build indexes over bits depend on this revision, so they are downgraded first.
    # Their downgrades have already replaced these indexes.
    op.drop_functions("shop_private", "bit_leg", "scan_order", "calibration_bit_filters")
    op.execute("delete from shop.calibration where bits is not null")
    op.drop_constraint(op.f(EF_SEARCH), "calibration", schema="shop")
    op.create_check_constraint(op.f(EF_SEARCH), "calibration", "ef_search between 1 and 1000", schema="shop")
    op.drop_column("calibration", "bits", schema="shop")
    for name in SETTINGS:
        op.execute(f"alter type shop_private.search_settings drop attribute {name}")
