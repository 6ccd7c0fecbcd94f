"""In a table of a shop system that the loader does not know, the stock decides the availability. The name of a price
column can contain a currency."""

from pathlib import Path

import pytest

from db.catalog.product import RawProduct
from db.engine import Database
from loader.sources import open_source
from loader.sources.reading.currency_names import split_currency
from tests.support.loading import load_catalog, stored


def rows_of(folder: Path, content: str, name: str = "goods.csv") -> list[RawProduct]:
    path = folder / name
    path.write_text(content)
    return [row for row in open_source(path).rows() if isinstance(row, RawProduct)]


def fields_of(folder: Path, content: str, name: str = "goods.csv") -> dict[str, str]:
    [row] = rows_of(folder, content, name)
    return dict(row.fields)


@pytest.mark.parametrize(
    ("columns", "cells", "expected"),
    [
        ("stock", "0", "out_of_stock"),
        ("Lagerbestand", "12", "in_stock"),
        ("qty", "-1", "out_of_stock"),
        ("qty", "1.000", "in_stock"),
        ("qty", "many", None),
        ("qty", "", None),
        ("qty", "+5", "in_stock"),
        ("qty", "12 pcs", "in_stock"),
        ("Lagerbestand", "12 Stk.", "in_stock"),
        ("qty", "0 Stück", "out_of_stock"),
        ("qty", "12 sizes", None),
        ("qty,available", "0,yes", None),
        ("qty,Verfügbar", "0,ja", "ja"),
        ("qty,Auf Lager", "0,ja", None),
        ("qty,disponible", "5,no", "out_of_stock"),
        ("qty,In Stock?", "5,no", "no"),
        ("qty,Op voorraad", "0,ja", None),
        ("qty,Bestandsstatus", "0,lieferbar", None),
        ("qty,inventory", "0,plenty", None),
        ("inventory", "5", "in_stock"),
        ("inventory", "0", "out_of_stock"),
        ("qty,inventory", "0,0", "out_of_stock"),
        ("qty,backorders", "0,yes", None),
        ("qty,Allow Pre-order", "0,yes", None),
        ("qty,track_inventory", "0,no", None),
        ("qty,is_closeout", "0,0", None),
        ("qty,available", "0,", "out_of_stock"),
        ("qty,availability", "0,preorder", "preorder"),
        ("qty,availability", "0,", "out_of_stock"),
    ],
)
def test_the_stock_decides_the_availability_unless_the_row_states_it(
    columns: str, cells: str, expected: str | None, tmp_path: Path
):
    assert fields_of(tmp_path, f"sku,title,{columns}\n1,A,{cells}\n").get("availability") == expected


@pytest.mark.parametrize(
    ("columns", "cells", "expected"),
    [
        ("Price (EUR)", "12.90", {"price": "12.90", "currency": "EUR"}),
        ("price_usd", "$12.90", {"price": "$12.90", "currency": "USD"}),
        ("Preis in €", "ab 12", {"price": "ab 12", "currency": "EUR"}),
        ("Price [GBP]", "5 USD", {"price": "5 USD"}),
        ("Price (EUR),currency", "5,USD", {"price": "5 EUR", "currency": "USD"}),  # validation reports the difference
        ("Price (EUR),currency", "5,eur", {"price": "5", "currency": "eur"}),
        ("price_eur,sale_price_usd", "5,4", {"price": "5", "currency": "EUR", "sale_price": "4 USD"}),
        ("price,price_usd", "5,4", {"price": "5"}),
        ("price_usd,price_eur", "5,4", {"price": "5", "currency": "USD"}),
        ("Price (EUR)", "", {}),
        ("Price ($)", "5", {"price": "5"}),
        ("Price $", "5", {"price": "5"}),
        ("Price (US$)", "5", {"price": "5", "currency": "USD"}),
        ("Price (EUR incl. VAT)", "5", {"price": "5", "currency": "EUR"}),
        ("Price USD incl. VAT", "5", {"price": "5", "currency": "USD"}),
        ("Price incl. VAT", "5", {"price": "5"}),
        ("Cena (Kč)", "5", {"price": "5", "currency": "CZK"}),
        ("Price TRY", "5", {"price": "5", "currency": "TRY"}),
        ("price_mad", "5", {}),
        ("price,price_cup", "5,4", {"price": "5"}),
    ],
)
def test_the_name_of_a_column_gives_the_currency_of_its_price(
    columns: str, cells: str, expected: dict[str, str], tmp_path: Path
):
    fields = fields_of(tmp_path, f"sku,title,{columns}\n1,A,{cells}\n")
    assert {name: fields[name] for name in ("price", "currency", "sale_price") if name in fields} == expected


def test_in_json_the_stock_decides_nothing_and_the_name_of_the_price_gives_the_currency(tmp_path: Path):
    fields = fields_of(tmp_path, '{"sku": "1", "title": "A", "priceEUR": 12.5, "stock": 0}\n', "goods.jsonl")
    assert fields == {"sku": "1", "title": "A", "price": "12.5", "currency": "EUR", "quantity": "0"}


def test_the_stock_decides_the_availability_in_parquet(tmp_path: Path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table({"sku": ["1"], "title": ["A"], "stock": [0]}), tmp_path / "a.parquet")
    [row] = open_source(tmp_path / "a.parquet").rows()
    assert isinstance(row, RawProduct) and row.fields["availability"] == "out_of_stock"


@pytest.mark.parametrize("name", ["price_all", "Price (all)", "price_cup", "price_gel", "PRICE_ALL", "top_price"])
def test_a_word_that_is_also_the_code_of_a_currency_is_no_currency(name: str):
    assert split_currency(name)[1] is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Price (TRY)", "TRY"),
        ("PRICE (TRY)", "TRY"),
        ("TRY Price", "TRY"),
        ("priceGEL", "GEL"),
        ("price_in_chf", "CHF"),
    ],
)
def test_a_code_that_is_in_capitals_or_is_no_word_is_a_currency(name: str, code: str):
    assert split_currency(name) == ("price", code)


@pytest.mark.parametrize(
    ("columns", "cells", "expected"),
    [
        ("Price EUR,Price USD", ["5,", ",6", "7,8"], [("5", "EUR"), ("6", "USD"), ("7", "EUR")]),
        ("Preis,Price", ["5,", ",6"], [("6", None), ("5", None)]),
        (
            "price_eur,price_usd,currency",
            ["5,,", ",6,USD", ",6,EUR"],
            [("5", "EUR"), ("6", "USD"), ("6 USD", "EUR")],  # validation reports the last price
        ),
        ("price,Currency,Price currency", ["5,EUR,", "6,,USD"], [("5", "EUR"), ("6", "USD")]),
        (
            "Price,Currency,Preis,Währung",
            ["5,EUR,,", ",,6,USD", "7,EUR,8,USD"],
            [("5", "EUR"), ("6", "USD"), ("7", "EUR")],
        ),
    ],
)  # fmt: skip
def test_each_row_takes_the_price_and_the_currency_from_the_column_that_has_them(
    columns: str, cells: list[str], expected: list[tuple[str, str | None]], tmp_path: Path
):
    rows = rows_of(tmp_path, f"sku,title,{columns}\n" + "".join(f"{n},A,{row}\n" for n, row in enumerate(cells)))
    found = [(row.fields.get("price"), row.fields.get("currency")) for row in rows]
    assert sorted(found) == sorted(expected)
    assert all(not row.faults and not row.warnings for row in rows)


def test_values_of_further_columns_of_prices_become_attributes(tmp_path: Path):
    header = "sku,title,Price EUR,Price USD,Sale Price EUR,Sale Price USD"
    row, _ = rows_of(tmp_path, f"{header}\n1,A,9,10,,8\n2,A,9,10,7,8\n")
    assert row.fields == {"sku": "1", "title": "A", "price": "9", "currency": "EUR"}
    assert row.attributes == {"price_usd": "10", "sale_price_usd": "8"}


def test_a_price_whose_currency_may_be_that_of_another_price_is_dropped_with_a_fault(tmp_path: Path):
    row, _ = rows_of(tmp_path, "sku,title,Price,Currency,Preis,Währung\n1,A,,EUR,6,USD\n2,A,5,EUR,,\n")
    assert row.fields == {"sku": "1", "title": "A", "currency": "EUR"}
    assert row.faults == [("price", 'price "6" is in EUR by one column and in USD by another')]


def test_a_row_with_only_another_kind_of_price_gets_a_warning(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,price,Retail price,Unit price\n1,A,5,7,\n2,B,,7,\n3,C,,,2\n4,D,,,\n")
    summary = load_catalog(emptied_database, path, strict=True)
    assert summary.rejected == 0 and summary.warnings["price"].count == 2
    assert "retail_price" in summary.warnings["price"].reason


def test_a_row_with_a_upc_and_no_ean_has_a_gtin(tmp_path: Path):
    rows = rows_of(tmp_path, "sku,title,EAN,UPC\n1,A,4006381333931,\n2,B,,012345678905\n")
    assert [row.fields["gtin"] for row in rows] == ["4006381333931", "012345678905"]


def test_a_stock_with_a_unit_of_pieces_is_a_number_and_another_text_is_a_warning(
    emptied_database: Database, tmp_path: Path
):
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,stock\n1,A,12 pcs\n2,B,3Stk.\n3,C,0 unidades\n4,D,12 boxes\n5,E,many\n")
    summary = load_catalog(emptied_database, path)
    found = {sku: (each.get("quantity"), each.get("availability")) for sku, each in stored(emptied_database).items()}
    assert found == {
        "1": (12, "in_stock"),
        "2": (3, "in_stock"),
        "3": (0, "out_of_stock"),
        "4": (None, None),
        "5": (None, None),
    }
    assert summary.warnings["quantity"].count == 2
    assert summary.warnings["quantity"].reason == 'quantity "12 boxes" is not a whole number'


def test_a_stock_in_words_gives_the_availability(emptied_database: Database, tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text(
        "sku,title,stock,stock_status\n1,A,out of stock,\n2,B,in stock (3),\n3,C,10+,\n4,D,> 100,\n5,E,ausverkauft,\n"
        "6,F,many,\n7,G,sold out,backorder\n8,H,,In stock (3)\n9,I,Unlimited,\n"
    )
    summary = load_catalog(emptied_database, path)
    found = {sku: (each.get("quantity"), each.get("availability")) for sku, each in stored(emptied_database).items()}
    assert found == {
        "1": (None, "out_of_stock"),
        "2": (3, "in_stock"),
        "3": (10, "in_stock"),
        "4": (100, "in_stock"),
        "5": (None, "out_of_stock"),
        "6": (None, None),
        "7": (None, "backorder"),
        "8": (None, "in_stock"),
        "9": (None, "in_stock"),
    }
    assert summary.warnings["quantity"].count == 1
    assert set(summary.warnings) == {"quantity"}


@pytest.mark.parametrize(
    ("shown", "price"), [("19,99 €", None), ("EUR 19.99", None), ("1.999,00 €", "1999"), ("", "1999"), ("soon", "1999")]
)
def test_a_price_that_another_column_shows_as_a_hundredth_is_in_cents(shown: str, price: str | None, tmp_path: Path):
    [row] = rows_of(tmp_path, f"sku;title;price;price_formatted\nA;Bag;1999;{shown}\n")
    assert row.fields.get("price") == price
    assert [name for name, _ in row.faults] == ([] if price else ["price"])


@pytest.mark.parametrize(
    ("cells", "product_type", "kind"),
    [
        ("Simple;Bags", "Bags", "Simple"),
        ("Totes;Bags", "Totes", None),
        ("simple;", "simple", None),
        (";Bags", "Bags", None),
    ],
)
def test_a_kind_of_product_is_not_preferred_over_a_category(
    cells: str, product_type: str, kind: str | None, tmp_path: Path
):
    [row] = rows_of(tmp_path, f"sku;title;Product Type;Categories\nA;Bag;{cells}\n")
    assert (row.fields["product_type"], row.attributes.get("type")) == (product_type, kind)


def test_a_kind_does_not_replace_an_empty_category(tmp_path: Path):
    row, _ = rows_of(tmp_path, "sku;title;category;type\nA;Bag;;simple\nB;Hat;Hats;simple\n")
    assert ("product_type" in row.fields, row.attributes["type"]) == (False, "simple")


def test_the_price_of_a_unit_is_not_preferred_over_a_selling_price(tmp_path: Path):
    fields = fields_of(tmp_path, "sku;title;unit_price;retail_price;map\nA;Bag;3.20;12.00;1\n")
    assert fields["price"] == "12.00"
    assert fields_of(tmp_path, "productcode;productname;productprice;listprice\nA;Bag;9;12\n")["price"] == "9"
