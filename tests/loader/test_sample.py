"""The demo's sample catalog is complete and labels its made-up values."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text

from db.catalog.product import RawProduct
from db.engine import Database
from db.roles import Role
from loader.sample import FOLDER, IMAGES, MADE_UP, PRICES, SampleSource, load_sample
from tests.support.loading import load_catalog

README = (FOLDER / "README.md").read_text()


def rows() -> list[RawProduct]:
    found = list(SampleSource().rows())
    assert all(isinstance(row, RawProduct) for row in found)
    return found  # type: ignore[return-value]


def test_every_product_of_the_sample_is_loaded_and_lists_its_made_up_fields(database: Database, tmp_path: Path):
    summary = load_sample(database)
    assert (summary.read, summary.inserted, summary.rejected, summary.missing_files) == (1242, 1242, 0, 0)
    assert summary.images == 1242
    again = load_sample(database)
    assert (again.unchanged, again.images) == (1242, 0)
    with database.connect(Role.APP) as conn:
        offers = conn.execute(
            text(
                "select count(*), count(price), count(availability), count(product_type), min(price) > 0, "
                "bool_and(currency = 'USD'), "
                'bool_and(attributes->\'made_up\' = \'["price", "currency", "availability"]\'), '
                "bool_and(jsonb_typeof(attributes->'keywords') = 'array') from shop.product"
            )
        ).one()
    assert tuple(offers) == (1242, 1242, 1242, 1242, True, True, True, True)


def test_made_up_offers_are_the_same_in_every_run_and_prices_fit_the_department():
    for row in rows():
        low, high = PRICES[row.fields["product_type"]]
        assert low <= Decimal(row.fields["price"]) <= high + 1
    by_sku = {row.fields["sku"]: (row.fields["price"], row.fields["availability"]) for row in rows()}
    assert by_sku["WS-00001"] == ("39.99", "in_stock")
    assert by_sku["WS-01242"] == ("5.99", "backorder")
    share = Counter(availability for _, availability in by_sku.values())["in_stock"] / len(by_sku)
    assert 0.8 < share < 0.92
    assert MADE_UP == ["price", "currency", "availability"]


def test_the_sample_folder_can_be_loaded_without_options_and_has_no_prices(database: Database, tmp_path: Path):
    summary = load_catalog(database, FOLDER, dry_run=True)
    assert (summary.source, summary.inserted, summary.rejected) == ("delimited", 1242, 0)
    assert not any("price" in row.fields for row in _csv_rows())


def test_the_readme_of_the_sample_states_the_right_counts():
    for field, counts in (
        ("department", Counter(row.fields["product_type"] for row in rows())),
        ("source", Counter(row.attributes["source"] for row in rows())),
    ):
        for value, count in counts.items():
            shown = f"| {value} | {count} |" if field == "department" else f"| {count} | "
            assert shown in README, (field, value)
    assert {path.name for path in IMAGES.iterdir()} == {row.images[0].removeprefix("images/") for row in rows()}


def _csv_rows() -> list[RawProduct]:
    from loader.sources import open_source

    return list(open_source(FOLDER / "products.csv").rows())  # type: ignore[arg-type]
