"""Indexes images by the hash of their file, so that identical files are encoded once."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("product_image_sha256_idx"), "product_image", ["sha256"], schema="shop")


def downgrade() -> None:
    op.execute("drop function if exists shop_private.known_vectors")
    op.drop_index(op.f("product_image_sha256_idx"), table_name="product_image", schema="shop")
