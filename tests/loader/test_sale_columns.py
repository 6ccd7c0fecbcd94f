"""Columns about prices, sales, discounts and publication under uncommon names have the effect that their names say."""

import json
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


def test_of_several_date_columns_the_first_with_a_value_is_used(tmp_path: Path):
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


def test_without_a_sale_price_a_column_of_sale_dates_is_an_attribute(tmp_path: Path):
    product, _ = table("price;promo start", "89.90;2026-11-20", tmp_path)
    assert (product.sale_starts_at, product.attributes) == (None, {"promo_start": "2026-11-20"})


@pytest.mark.parametrize(
    "name", ["on_sale", "OnSale", "is_on_sale", "On sale?", "Im Angebot", "en promotion", "sale", "Sonderpreis aktiv"]
)
@pytest.mark.parametrize("no", ["no", "false", "0", "nein", "0.0"])
def test_a_sale_price_does_not_apply_to_a_product_that_is_not_on_sale(name: str, no: str, tmp_path: Path):
    product, warnings = table(f"price;sale_price;{name}", f"89.90;69.90;{no}", tmp_path)
    assert (product.price, product.sale_price) == (Decimal("89.90"), None)
    assert warnings["sale_price"].startswith('sale_price "69.90" is left out, because ')


@pytest.mark.parametrize(("name", "yes"), [("on_sale", "yes"), ("on_sale", ""), ("on_sale_rank", "0"), ("sales", "0")])
def test_a_flag_that_does_not_end_the_sale_keeps_the_sale_price(name: str, yes: str, tmp_path: Path):
    product, warnings = table(f"price;sale_price;{name}", f"89.90;69.90;{yes}", tmp_path)
    assert (product.sale_price, warnings) == (Decimal("69.90"), {})


def test_a_flag_counts_in_json_and_in_the_export_of_a_platform(tmp_path: Path):
    row = '{"sku": "A", "title": "Lamp", "price": 89.9, "sale_price": 69.9, "onSale": false}\n'
    assert loaded(row, "goods.jsonl", tmp_path).product.sale_price is None
    magento = "sku,attribute_set_code,name,price,special_price,on_sale\nA,Default,Lamp,89.90,69.90,0\n"
    assert loaded(magento, "magento.csv", tmp_path).product.sale_price is None


def test_a_sale_of_woocommerce_that_has_not_begun_keeps_its_price(tmp_path: Path):
    row = {
        "id": 1, "sku": "A", "name": "Lamp", "regular_price": "89.90", "sale_price": "69.90", "price": "89.90",
        "on_sale": False, "date_on_sale_from": "2026-11-20T00:00:00", "stock_status": "instock", "meta_data": [],
    }  # fmt: skip
    product = loaded(json.dumps([row]), "woocommerce.json", tmp_path).product
    assert (product.sale_price, product.sale_starts_at) == (Decimal("69.90"), START)


@pytest.mark.parametrize("price", ["0", "0.00", "0,00 €", "€ 0"])
def test_a_price_of_0_is_stored_with_a_warning(price: str, tmp_path: Path):
    product, warnings = table("price;type", f"{price};simple", tmp_path)
    assert product.price == 0
    assert warnings["price"].startswith("price is 0, so the product is free of charge")


@pytest.mark.parametrize("kind", ["variable", "Configurable", "parent"])
def test_a_parent_of_variants_has_no_price_of_0(kind: str, tmp_path: Path):
    product, warnings = table("price;type", f"0.00;{kind}", tmp_path)
    assert (product.price, warnings) == (None, {"price": "price 0 of a parent of variants is left out"})
    assert table("price;type", f"0.50;{kind}", tmp_path)[0].price == Decimal("0.50")


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("visible", "false"), ("Published", "0"), ("is_published", "no"), ("Active", "FALSE"), ("enabled", "0"),
        ("status", "draft"), ("Product Status", "Archived"), ("status", "inactive"), ("status", "0"),
        ("visibility", "hidden"), ("is_hidden", "true"), ("sichtbar", "nein"), ("veröffentlicht", "nein"),
        ("Status", "Entwurf"), ("publié", "non"), ("estado", "borrador"), ("attivo", "no"), ("zichtbaar", "nee"),
        ("online", "0"), ("Online flag", "false"), ("for_sale", "no"), ("is_for_sale", "0"), ("sellable", "N"),
        ("available", "no"), ("available for sale", "false"), ("beschikbaar", "nee"),
        ("live", "0"), ("show in webshop", "0"), ("website_visible", "false"), ("Web-Shop aktiv", "nein"),
        ("En ligne", "Non"), ("Zichtbaar op website", "Nee"), ("hide_in_shop", "yes"),
        ("Nicht im Shop anzeigen", "1"), ("visibility", "staging"), ("status", "ended"), ("Status", "Sold"),
        ("statut", "désactivé"), ("state", "expired"), ("delete", "1"), ("deleted_at", "2026-01-31"),
        ("action", "Delete"), ("*Action(SiteID=US|Country=US|Currency=USD|Version=1193)", "End"),
        ("update_delete", "Delete"), ("::record_action", "delete"), ("sold_out", "true"), ("Ausverkauft", "ja"),
    ],
)  # fmt: skip
def test_a_product_that_the_shop_does_not_show_is_out_of_stock(name: str, cell: str, tmp_path: Path):
    product, _ = table(f"price;availability;{name}", f"9;in stock;{cell}", tmp_path)
    assert product.availability == "out_of_stock"
    assert product.attributes["product_availability"] == "in stock"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("visible", "true"), ("published", "yes"), ("status", "active"), ("status", "publish"),
        ("visibility", "visible"),
        ("is_hidden", "false"), ("hidden", ""), ("active ingredient", "no"), ("activity", "0"), ("state", "0"),
        ("deleted_at", "0000-00-00"), ("action", "Update"), ("update_delete", "PartialUpdate"), ("online", "1"),
        ("Online price", "0"), ("Display", "no"), ("sold_out", "false"), ("Nicht im Shop anzeigen", "0"),
    ],
)  # fmt: skip
def test_a_product_that_the_shop_shows_keeps_its_availability(name: str, cell: str, tmp_path: Path):
    product, _ = table(f"price;availability;{name}", f"9;in stock;{cell}", tmp_path)
    assert (product.availability, product.attributes.get("product_availability")) == ("in_stock", None)


def test_a_hidden_object_of_a_json_file_is_out_of_stock(tmp_path: Path):
    row = '{"sku": "A", "title": "Lamp", "price": 9, "quantity": 5, "visible": false}\n'
    assert loaded(row, "goods.jsonl", tmp_path).product.availability == "out_of_stock"


@pytest.mark.parametrize(
    ("names", "cells", "expected"),
    [
        ("List price;Our price", "99;80", (80, None, 99)),
        ("RRP;our_price", "99;80", (80, None, 99)),
        ("MSRP;Your price", "99;80", (80, None, 99)),
        ("UVP;Unser Preis", "99;80", (80, None, 99)),
        ("price;our price", "99;80", (99, 80, None)),
        ("price;final_price", "99;80", (99, 80, None)),
        ("MRP;Selling price", "99;80", (80, None, 99)),
        ("list_price;price", "99;80", (80, None, 99)),
        ("UVP;Preis", "99;80", (80, None, 99)),
        ("Prix public;Notre prix", "99;80", (80, None, 99)),
    ],
)
def test_the_selling_price_is_the_lower_one(names: str, cells: str, expected: tuple[int | None, ...], tmp_path: Path):
    product, warnings = table(names, cells, tmp_path)
    assert ((product.price, product.sale_price, product.compare_at_price), warnings) == (expected, {})


@pytest.mark.parametrize("name", ["Price in the shop", "Kundenpreis", "Prix internet"])
def test_a_lower_price_under_an_unknown_name_gives_a_warning(name: str, tmp_path: Path):
    product, warnings = table(f"list_price;{name}", "99.00;80.00", tmp_path)
    assert product.price == 99
    assert "is lower, and became an attribute" in warnings["price"]
    assert table(f"list_price;{name}", "99.00;120.00", tmp_path)[1] == {}


@pytest.mark.parametrize("name", ["Grundpreis", "price per kg", "price excl. tax", "shipping price", "Wholesale price"])
def test_a_lower_price_of_another_kind_gives_no_warning(name: str, tmp_path: Path):
    assert "price" not in table(f"price;{name}", "99.00;80.00", tmp_path)[1]


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        ("discount_percent", "20"), ("Discount %", "20.00"), ("discount (%)", "20"), ("discount", "20%"),
        ("Rabatt", "20 %"), ("Rabatt in Prozent", "20"), ("percent off", "20"), ("reduction_percent", "20"),
        ("pourcentage de remise", "20"), ("% descuento", "20"), ("percentuale sconto", "20"), ("procent rabatu", "20"),
        ("discountMode;discountValue", "PERCENT;20.0"), ("discountMode;discountValue", "AMOUNT;18.00"),
        ("reduction_percent", "20.000000"),
    ],
)  # fmt: skip
def test_a_discount_gives_the_sale_price(names: str, cells: str, tmp_path: Path):
    product, warnings = table(f"price;{names}", f"90.00 EUR;{cells}", tmp_path)
    assert (product.price, product.sale_price, product.currency, warnings) == (90, 72, "EUR", {})


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        ("discount_percent", "0"), ("discount", "20"), ("discount_code", "20%"), ("discountMode;discountValue", ";20"),
        ("discount_percent;msrp", "20;110"), ("discount_percent;on_sale", "20;no"), ("discount_amount", "20"),
    ],
)  # fmt: skip
def test_a_number_that_reduces_no_price_gives_no_sale_price(names: str, cells: str, tmp_path: Path):
    assert table(f"price;{names}", f"90.00;{cells}", tmp_path)[0].sale_price is None


@pytest.mark.parametrize(("price", "percent"), [("90.00", "100"), ("90.00", "0.2"), ("90.00", "many"), ("1.290", "20")])
def test_a_discount_without_a_reduced_price_above_0_gives_a_warning(price: str, percent: str, tmp_path: Path):
    product, warnings = table("price;discount %", f"{price};{percent}", tmp_path)
    assert product.sale_price is None
    assert "does not reduce the price" in warnings["sale_price"]


def test_the_dates_of_a_discount_limit_the_sale_price(tmp_path: Path):
    product, _ = table("price;discount %;discount from;discount to", "90;20;2026-11-20;2026-11-30", tmp_path)
    assert (product.sale_price, product.sale_starts_at, product.sale_ends_at) == (72, START, END)


def test_a_spanish_export_of_prestashop_has_discounts(tmp_path: Path):
    header = "Product ID;Nombre*;Precio con IVA;Porcentaje de descuento;Descuento desde (aaaa-mm-dd);Activo (0/1)"
    (tmp_path / "a.csv").write_text(f"{header}\n1;Lamp;90;20;2026-11-20;1\n")
    source = open_source(tmp_path / "a.csv")
    [row] = source.rows()
    assert isinstance(row, RawProduct) and source.name == "prestashop"
    assert (row.fields["sale_price"], row.fields["sale_starts_at"]) == ("72.00", "2026-11-20")


@pytest.mark.parametrize(
    ("cell", "quantity", "availability"),
    [("5", 5, "in_stock"), ("0", 0, "out_of_stock"), ("InStock", None, "in_stock"), ("sold out", None, "out_of_stock")],
)
def test_the_inventory_is_the_stock(cell: str, quantity: int | None, availability: str, tmp_path: Path):
    product, warnings = table("price;inventory", f"9;{cell}", tmp_path)
    assert (product.quantity, product.availability, warnings) == (quantity, availability, {})


def test_a_discount_of_wix_may_have_four_digits(tmp_path: Path):
    product, warnings = table("price;discountMode;discountValue", "2500.00 EUR;AMOUNT;1200.00", tmp_path)
    assert (product.sale_price, warnings) == (1300, {})
