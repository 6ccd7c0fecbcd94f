"""A price such as 1.290 could mean two amounts, and a date such as 4/1/26 could mean two days. The other prices and
dates of the file decide the meaning, or the value is dropped."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from db.catalog.product import RawProduct
from db.engine import Database
from loader.sources import open_source
from tests.support.loading import load_catalog, stored

HEADER = "sku,title,price,currency\n"


def prices_of(database: Database) -> dict[str, Decimal]:
    return {sku: product["price"] for sku, product in stored(database).items() if "price" in product}


def test_an_unambiguous_price_also_decides_the_prices_of_earlier_rows(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text(HEADER + '1,A,"1.290 €",\n2,B,"1.290,00 €",\n3,C,150.000 IDR,\n4,D,1.500,EUR\n')
    assert load_catalog(emptied_database, path).rejected == 0
    assert prices_of(emptied_database) == {"1": 1290, "2": 1290, "3": 150_000, "4": 1500}


def test_an_ambiguous_price_is_dropped_if_other_prices_contradict_each_other(
    emptied_database: Database, tmp_path: Path
):
    rows = [{"sku": "1", "title": "A", "price": 7}, {"sku": "2", "title": "B", "price": "1.290,00"}]
    rows += [{"sku": "3", "title": "C", "price": "1.290"}, {"sku": "4", "title": "D", "price": 1290.5}]
    path = tmp_path / "goods.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    load_catalog(emptied_database, path)
    loaded = prices_of(emptied_database)
    assert loaded["1"] == 7 and loaded["2"] == 1290 and loaded["4"] == Decimal("1290.50")
    assert "3" not in loaded  # the point separates decimals in 1290.5 but groups digits in "1.290,00"


def test_parquet_decimals_are_numbers(emptied_database: Database, tmp_path: Path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    prices = arrow.array([Decimal("1.250"), Decimal("1250.000")], arrow.decimal128(10, 3))
    parquet.write_table(arrow.table({"sku": ["1", "2"], "title": ["A", "B"], "price": prices}), tmp_path / "a.parquet")
    load_catalog(emptied_database, tmp_path / "a.parquet")
    assert prices_of(emptied_database) == {"1": Decimal("1.25"), "2": 1250}


def test_a_file_without_an_ambiguous_value_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,price,published_at\n1,A,12.90,1/31/26\n2,B,13,4/4/26\n")
    rows = open_source(path).rows()
    next(rows)
    path.unlink()
    assert len(list(rows)) == 1


SALES = "sku,title,price,sale_price,sale_starts_at,sale_ends_at,created_at\n"


def sales_of(database: Database) -> dict[str, tuple[str, str] | None]:
    return {
        sku: (str(product["sale_starts_at"].date()), str(product["sale_ends_at"].date()))
        if "sale_price" in product
        else None
        for sku, product in stored(database).items()
    }


@pytest.mark.parametrize(
    ("last", "created", "expected"),
    [
        ("4/30/26", "", ("2026-04-01", "2026-04-05")),
        ("30/4/26", "", ("2026-01-04", "2026-05-04")),
        ("4/4/26", "2/17/26, 3:00 PM", ("2026-04-01", "2026-04-05")),  # a date in another column shows the order too
        ("4/4/26", "", None),
    ],
)
def test_the_other_dates_of_the_file_decide_the_order_of_day_and_month(
    last: str, created: str, expected: tuple[str, str] | None, emptied_database: Database, tmp_path: Path
):
    path = tmp_path / "goods.csv"
    path.write_text(f'{SALES}1,A,9,8,"4/1/26, 12:00 AM",4/5/26,\n2,B,9,8,4/4/26,{last},"{created}"\n')
    summary = load_catalog(emptied_database, path)
    assert sales_of(emptied_database)["1"] == expected
    if expected is None:
        assert "could be two dates" in summary.warnings["sale_starts_at"].reason
        assert summary.warnings["sale_price"].count == 1
    else:
        assert summary.warnings == {}


def test_dates_that_contradict_each_other_drop_the_sale_with_a_warning(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text(f"{SALES}1,A,9,8,4/1/26,4/5/26,\n2,B,9,8,1/31/26,2/28/26,\n3,C,9,8,2026-01-31,31/12/26,\n")
    summary = load_catalog(emptied_database, path)
    assert sales_of(emptied_database) == {
        "1": None,
        "2": ("2026-01-31", "2026-02-28"),
        "3": ("2026-01-31", "2026-12-31"),
    }
    assert "could be two dates" in summary.warnings["sale_ends_at"].reason


def test_the_dates_of_a_column_decide_before_those_of_other_columns(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text(
        "sku,title,published_at,created_at\n1,A,10/04/2026,2/17/26\n2,B,31/12/2025,\n3,C,10/04/01,12/31/2025\n"
    )
    assert load_catalog(emptied_database, path).warnings == {}
    published = {sku: str(product["published_at"].date()) for sku, product in stored(emptied_database).items()}
    assert published == {"1": "2026-04-10", "2": "2025-12-31", "3": "2001-04-10"}


SPARSE = "sku,title,price,sale_price,currency\n1,A,9,,\n2,B,12,10,EUR\n3,C,$5,,\n4,D,,,\n5,E,7 EUR,,\n"


def test_a_price_without_a_currency_gets_the_only_currency_of_the_file(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text(SPARSE)
    summary = load_catalog(emptied_database, path)
    currencies = {sku: product.get("currency") for sku, product in stored(emptied_database).items()}
    assert currencies == {"1": "EUR", "2": "EUR", "3": None, "4": None, "5": "EUR"}
    warning = "price without a currency, although other products have EUR"
    assert {name: each.reason for name, each in summary.warnings.items()} == {"currency": warning}


def test_a_price_without_a_currency_gets_a_warning_in_a_file_with_several_currencies(
    emptied_database: Database, tmp_path: Path
):
    path = tmp_path / "goods.csv"
    path.write_text(f"{SPARSE}6,F,8,,usd\n7,G,8,,\n8,H,9 CHF,,\n")
    summary = load_catalog(emptied_database, path, strict=True)
    assert summary.rejected == 0 and "currency" not in stored(emptied_database)["1"]
    assert summary.warnings["currency"].count == 3
    assert (
        summary.warnings["currency"].reason
        == "price without a currency, although other products have CHF and EUR and USD"
    )


def test_a_file_with_an_empty_column_of_currencies_is_loaded_without_a_currency(
    emptied_database: Database, tmp_path: Path
):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,price,currency\n1,A,9,\n2,B,12,\n")
    assert load_catalog(emptied_database, path).warnings == {}
    assert "currency" not in stored(emptied_database)["1"]


def test_an_ambiguous_currency_symbol_means_the_only_currency_of_the_file_if_possible(tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,price,currency\n1,A,$9,\n2,B,$12,CAD\n")
    assert [row.fields["currency"] for row in open_source(path).rows() if isinstance(row, RawProduct)] == ["CAD", "CAD"]
