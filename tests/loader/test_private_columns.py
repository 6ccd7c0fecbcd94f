"""A private column holds values that customers must not see. It is loaded only if an option of the load names it."""

import json
from pathlib import Path

import pytest

from db.engine import Database
from loader.ingest import LoadOptions, ingest
from loader.sources import open_source
from loader.sources.private_columns import is_private
from tests.support.loading import load_catalog, stored


@pytest.mark.parametrize(
    "name",
    [
        *("cost", "Cost per item", "costPrice", "cost_price", "unit_cost", "Wholesale Price", "supplier_name"),
        *("Supplier", "reviews.username", "reviewer", "Reviewer Email", "margin", "purchase_price", "EK-Preis"),
    ],
)
def test_costs_suppliers_and_reviewers_are_private_columns(name: str):
    assert is_private(name)


@pytest.mark.parametrize("name", ["costume", "shipping_cost", "review_count", "rating", "sale_price", "trademark"])
def test_columns_for_customers_are_public(name: str):
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


def test_columns_given_as_kept_or_ignored_are_loaded_or_omitted(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,Cost per item,Supplier,Glaze\n1,A,7.5,Acme,matt\n")
    source = open_source(path, kept=["Cost per item"], ignored=["glaze"])
    assert ingest(emptied_database, source, LoadOptions()).private == {"supplier": 1}
    assert stored(emptied_database)["1"]["attributes"] == {"cost_per_item": "7.5"}
