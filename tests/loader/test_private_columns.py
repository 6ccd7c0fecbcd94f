"""A private column holds values that customers must not see. A load skips the column unless an option says to
keep it."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.catalog.private_attributes import is_private
from db.catalog.product import RawProduct
from db.engine import Database
from loader.ingest import LoadOptions, ingest
from loader.sources import open_source
from loader.sources.private_columns import WithoutPrivateColumns
from tests.support.loading import load_catalog, stored


@pytest.mark.parametrize(
    "name",
    [
        *("cost", "Cost per item", "costPrice", "cost_price", "unit_cost", "Wholesale Price", "supplier_name"),
        *("Supplier", "reviews.username", "reviewer", "Reviewer Email", "margin", "purchase_price", "EK-Preis"),
        *("Prix d'achat", "Prix d’achat HT", "Coût unitaire", "Prezzo di acquisto", "Preço de custo"),  # noqa: RUF001
        *("Großhandelspreis", "EK netto", "Lieferanten-Nr.", "Inköpspris", "Indkøbspris", "Себестоимость", "成本价"),
        *(
            "supply_price",
            "purchasePrice",
            "purchaseprice",
            "E-Mail",
            "reviews.author",
            "review_by",
            "reviews.customer",
        ),
        *("EK", "Händler-EK", "Einstandspreis", "B2B price", "group_price", "factory_price", "FOB Price", "vendor_sku"),
        *("reviewed_by", "profileName", "internal_label", "Staff notes", "Interne Notiz", "Beszerzési ár", "공급가"),
        *(
            "Member price",
            "VIP price",
            "price_vip",
            "memberPrice",
            "Wholesale price",
            "Mitgliederpreis",
            "Preis Händler",
        ),
        *("prix membre", "prezzo soci", "Customer group price", "club_price", "medlemspris", "prix pro"),
        *("post_password", "api_key", "commission_group"),
        *("downloads.file", "Download 1 URL", "Meta: _wc_cog_cost", "Méta : _wcj_purchase_price"),
    ],
)
def test_columns_that_customers_must_not_see_are_private(name: str):
    assert is_private(name)


@pytest.mark.parametrize(
    "name",
    [
        *("costume", "shipping_cost", "review_count", "rating", "sale_price", "trademark", "Allow customer reviews?"),
        *("Coût de livraison", "Coste de envío", "Prix de vente", "Achats minimum"),
        *("Preis pro kg", "price type", "retail_price", "member since", "staff pick", "price_promo"),
        *("Ek özellik", "password_protection", "profile", "price_group_label", "vendor", "floor_type", "label"),
    ],
)
def test_columns_that_customers_may_see_are_public(name: str):
    assert not is_private(name)


def test_private_columns_are_counted_and_not_loaded(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,Cost per item,Supplier,Glaze\n1,A,7.5,Acme,matt\n2,B,8,,matt\n")
    summary = load_catalog(emptied_database, path)
    assert summary.private == {"cost_per_item": 2, "supplier": 1}
    assert [product["attributes"] for product in stored(emptied_database).values()] == [{"glaze": "matt"}] * 2


def test_private_members_of_objects_are_not_loaded(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.jsonl"
    path.write_text(json.dumps({"sku": "1", "title": "A", "offers": [{"cost": 3, "seller": "B"}]}) + "\n")
    load_catalog(emptied_database, path)
    assert stored(emptied_database)["1"]["attributes"] == {"offers": [{"seller": "B"}]}


def dropped(path: Path, value: object) -> tuple[dict[str, object], dict[str, int]]:
    """Reads a product whose attribute x is `value`. Returns the loaded attributes and the counts of dropped names."""
    path.write_text(json.dumps({"sku": "1", "title": "A", "x": value}) + "\n")
    source = open_source(path)
    [row] = source.rows()
    assert isinstance(source, WithoutPrivateColumns) and isinstance(row, RawProduct)
    return dict(row.attributes), dict(source.dropped)


def test_the_author_of_a_review_is_private_and_the_author_of_a_book_is_public(tmp_path: Path):
    book = {"author": "Austen", "reviews": [{"author": {"name": "Bob"}, "text": "good"}]}
    assert dropped(tmp_path / "a.jsonl", book) == (
        {"x": {"author": "Austen", "reviews": [{"text": "good"}]}},
        {"x.reviews.author": 1},
    )


def test_a_pair_of_a_private_name_and_a_value_is_not_loaded(tmp_path: Path):
    fields = [{"name": "Cost price", "value": "5"}, {"key": "glaze", "value": "matt"}, {"name": "Supplier"}]
    assert dropped(tmp_path / "a.jsonl", fields) == ({"x": fields[1:]}, {"Cost price": 1})


def test_the_cost_of_shipping_is_public_inside_an_object_too(tmp_path: Path):
    assert dropped(tmp_path / "a.jsonl", {"shipping": {"cost": 5}}) == ({"x": {"shipping": {"cost": 5}}}, {})


def test_a_kept_private_column_is_loaded_and_an_ignored_column_is_omitted(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,Cost per item,Supplier,Glaze\n1,A,7.5,Acme,matt\n")
    source = open_source(path, kept=["Cost per item"], ignored=["glaze"])
    assert ingest(emptied_database, source, LoadOptions()).private == {"supplier": 1}
    assert stored(emptied_database)["1"]["attributes"] == {"cost_per_item": "7.5"}


NAMES = st.sampled_from(["glaze", "cost", "supplier", "shipping_cost", "size_chart", "margin"])


@given(st.lists(st.dictionaries(NAMES, st.sampled_from(["x", 3, None, ["y"], {"z": 1}])), min_size=1, max_size=6))
def test_each_row_loses_its_own_private_columns_whatever_columns_other_rows_have(attributes: list[dict[str, Any]]):
    records = [{"sku": str(number), "title": "A", **each} for number, each in enumerate(attributes)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "goods.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        rows = [row for row in open_source(path).rows() if isinstance(row, RawProduct)]
    assert [row.attributes for row in rows] == [
        {name: value for name, value in each.items() if not is_private(name) and value is not None}
        for each in attributes
    ]
