"""Columns about prices, sales, discounts and publication under uncommon names have the effect that their names say."""

from decimal import Decimal
from pathlib import Path

import pytest

from db.catalog.product import Product, RawProduct
from loader.sources import open_source
from tests.loader.test_offer_columns import END, SALE, START, loaded


def table(header: str, cells: str, folder: Path) -> tuple[Product, dict[str, str]]:
    """Returns the product of a table with one row, and its warnings by field."""
    found = loaded(f"sku;title;{header}\nA;Lamp;{cells}\n", "goods.csv", folder)
    return found.product, dict(found.warnings)


@pytest.mark.parametrize(
    "names",
    [
        "special_price;special_from_date;special_to_date",
        "Sale price;sale_price_dates_from;sale_price_dates_to",
        "Angebotspreis;Angebot gültig ab;Angebot gültig bis",
        "Sonderpreis;Sonderpreis von Datum;Sonderpreis bis Datum",
        "Aktionspreis;Aktionsbeginn;Aktionsende",
        "promo price;promo start;PromoEnd",
        "discount_price;discount-start-date;discount-end-date",
        "prix promo;date début promo;date fin promo",
        "prix promo;remise à partir du;remise jusqu'au",
        "precio oferta;Fecha inicio oferta;oferta válida hasta",
        "prezzo scontato;inizio sconto;fine sconto",
        "actieprijs;actie vanaf;actie tot",
        "cena promocyjna;promocja od;promocja do",
        "sale_price;valid from;valid until",
        "sale_price;start_date;end_date",
    ],
)
def test_dates_under_uncommon_names_limit_the_sale_price(names: str, tmp_path: Path):
    product, warnings = table(f"price;{names}", "89.90;69.90;2026-11-20;2026-11-30", tmp_path)
    assert ({column: getattr(product, column) for column in SALE}, warnings) == (SALE, {})


@pytest.mark.parametrize("written", ["2026-11-20/2026-11-30", "20.11.2026 - 30.11.2026", "20.11.2026 bis 30.11.2026"])
def test_a_column_of_a_period_has_both_dates_of_the_sale(written: str, tmp_path: Path):
    product, _ = table("price;Aktionspreis;Aktionszeitraum", f"89.90;69.90;{written}", tmp_path)
    assert (product.sale_price, product.sale_starts_at, product.sale_ends_at) == (Decimal("69.90"), START, END)


@pytest.mark.parametrize(
    ("names", "date"),
    [("promo price;promo end", "next week"), ("promo price;promo date", "2026-11-20"), ("sale_price;sale end", "?")],
)
def test_a_sale_price_is_dropped_if_its_dates_cannot_be_read(names: str, date: str, tmp_path: Path):
    product, warnings = table(f"price;{names}", f"89.90;69.90;{date}", tmp_path)
    assert product.sale_price is None
    assert "the dates of the sale are not known" in warnings["sale_price"]


def test_the_first_of_several_dates_that_is_filled_counts(tmp_path: Path):
    (tmp_path / "goods.csv").write_text(
        "sku,title,sale_price,sale_end,promo_end\nA,Lamp,69.90,,2026-11-30\nB,Lamp,69.90,2026-11-29,\n"
    )
    first, second = open_source(tmp_path / "goods.csv").rows()
    assert isinstance(first, RawProduct) and isinstance(second, RawProduct)
    assert (first.fields["sale_ends_at"], second.fields["sale_ends_at"]) == ("2026-11-30", "2026-11-29")


@pytest.mark.parametrize("name", ["sales_start_date", "special order", "expiration date", "delivery_end_date", "offer"])
def test_other_columns_do_not_limit_a_sale(name: str, tmp_path: Path):
    product, warnings = table(f"price;sale_price;{name}", "89.90;69.90;2026-11-20", tmp_path)
    assert (product.sale_price, product.sale_starts_at, product.sale_ends_at) == (Decimal("69.90"), None, None)
    assert warnings == {}


def test_without_a_sale_price_such_a_column_is_an_attribute(tmp_path: Path):
    product, _ = table("price;promo start", "89.90;2026-11-20", tmp_path)
    assert (product.sale_starts_at, product.attributes) == (None, {"promo_start": "2026-11-20"})
