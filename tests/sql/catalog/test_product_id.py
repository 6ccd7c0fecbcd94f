"""A product's id depends on its SKU and catalog alone. The id is the same in every database and release.

shop.product_vector finds the vector of a product by its SKU and catalog.
"""

import hashlib
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.engine import Database
from db.errors import EncoderUnavailable, StatementRefused
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

ANYTHING = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=50)


@given(sku=ANYTHING, catalog=st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_id_is_the_first_half_of_a_hash_of_catalog_and_sku(shop: "Shop", sku: str, catalog: str) -> None:
    expected = UUID(bytes=hashlib.sha256(f"{catalog}\x1f{sku}".encode()).digest()[:16])
    assert shop.value("select shop.product_id(:sku, :catalog)", sku=sku, catalog=catalog) == expected


def test_the_id_of_a_sku_is_the_same_in_every_release(shop: "Shop") -> None:
    assert shop.value("select shop.product_id('sku 1')") == UUID("61837de7-b51b-e0a1-bb0c-0242a5e59ad0")


def test_the_default_catalog_is_main(shop: "Shop") -> None:
    assert shop.value("select shop.product_id('a') = shop.product_id('a', 'main')")
    assert shop.value("select shop.product_id('a') <> shop.product_id('a', 'outlet')")


def test_a_product_row_whose_id_does_not_follow_from_its_sku_is_rejected(shop: "Shop") -> None:
    with pytest.raises(StatementRefused, match="product_identity_check"):
        shop.run("insert into shop.product (product_id, sku, title) values (gen_random_uuid(), 'a', 'A')")


def test_the_function_product_id_is_immutable_strict_and_parallel_safe(shop: "Shop") -> None:
    [row] = shop.run("select provolatile, proisstrict, proparallel from pg_proc where oid = 'shop.product_id'::regproc")
    assert tuple(row) == ("i", True, "s")


def test_product_vector_returns_the_vector_of_a_sku_or_an_error_with_the_reason(shop: "Shop") -> None:
    shop.add("a", "b")
    shop.encode_all()
    assert shop.value("select shop.product_vector('a') = image_embedding from shop.searchable where sku = 'a'")
    shop.run("insert into shop.product (product_id, sku, title) values (shop.product_id('c'), 'c', 'C')")
    with pytest.raises(StatementRefused, match="no encoded image"):
        shop.run("select shop.product_vector('c')")
    with pytest.raises(StatementRefused, match="no product 'd' in catalog 'outlet'") as missing:
        shop.run("select shop.product_vector('d', 'outlet')")
    assert missing.value.sqlstate == "42704"


def test_product_vector_raises_an_error_without_a_serving_model(database: Database) -> None:
    with (
        database.connect(Role.ANALYST) as conn,
        pytest.raises(EncoderUnavailable, match="no model is serving") as raised,
    ):
        conn.exec_driver_sql("select shop.product_vector('a')")
    assert raised.value.sqlstate == "WS005"
