"""Exports with headers in the language of the shop give the same products as exports with English headers."""

import csv
from pathlib import Path
from typing import Any

import pytest

from db.catalog.names import normalised
from db.catalog.product import RawProduct
from loader.sources import open_source
from loader.sources.platforms.woocommerce_headers import english

FIXTURES = Path(__file__).parents[1] / "fixtures"
# Maps the English headers of an export to the cells of a product that has a size.
WOOCOMMERCE = {
    "ID": "7", "Type": "simple", "SKU": "mug", "GTIN, UPC, EAN, or ISBN": "4006381333931", "Name": "Mug",
    "Published": "1", "Is featured?": "0", "Visibility in catalog": "visible", "Short description": "Big",
    "Description": "Red", "In stock?": "1", "Stock": "3", "Backorders allowed?": "0", "Sale price": "8",
    "Regular price": "9.5", "Categories": "Home > Kitchen, New", "Tags": "tea", "Images": "https://img.example/mug.jpg",
    "Parent": "", "Brands": "Acme", "Attribute 1 name": "Size", "Attribute 1 value(s)": "L", "Attribute 1 visible": "1",
    "Attribute 1 global": "1",
}  # fmt: skip
HEADERS = {
    "french": (
        "ID|Type|UGS|GTIN, UPC, EAN ou ISBN|Nom|Publié|Mis en avant\u00a0?|Visibilité dans le catalogue|"
        "Description courte|Description|En stock\u00a0?|Stock|"
        "Autoriser les commandes de produits en rupture\u00a0?|Tarif promo|Tarif régulier|Catégories|"
        "Étiquettes|Images|Parent|Marques|Nom de l\u2019attribut 1|Valeur(s) de l\u2019attribut 1 |"
        "Attribut 1 visible|Attribut 1 global"
    ),
    "spanish": (
        "ID|Tipo|SKU|GTIN, UPC, EAN o ISBN|Nombre|Publicado|¿Está destacado?|Visibilidad en el catálogo|"
        "Descripción corta|Descripción|¿Existencias?|Inventario|"
        "¿Permitir reservas de productos agotados?|Precio rebajado|Precio normal|Categorías|Etiquetas|"
        "Imágenes|Superior|Marcas|Nombre del atributo 1|Valor(es) del atributo 1|Atributo visible 1|"
        "Atributo global 1"
    ),
    "dutch": (
        "ID|Type|Artikelnummer|GTIN, UPC, EAN of ISBN|Naam|Gepubliceerd|Uitgelicht?|"
        "Zichtbaarheid in catalogus|Korte beschrijving|Beschrijving|Op voorraad?|Voorraad|"
        "Nabestellingen toestaan?|Actieprijs|Reguliere prijs|Categorieën|Tags|Afbeeldingen|Hoofd|Merken|"
        "Naam eigenschap 1|Waarde eigenschap 1|Zichtbare eigenschap 1|Globale eigenschap 1"
    ),
    "italian": (
        "ID|Tipo|COD|GTIN, UPC, EAN o ISBN|Nome|Pubblicato|In primo piano?|Visibilità nel catalogo|"
        "Breve descrizione|Descrizione|In stock?|Magazzino|Abilita gli ordini arretrati?|"
        "Prezzo in offerta|Prezzo di listino|Categorie|Etichette|Immagine|Genitore|Marchi|"
        "Attributo 1 nome|Attributo 1 valuta(e)|Attributo 1 visibile|Attributo 1 globale"
    ),
    "polish": (
        "ID|Typ|SKU|GTIN, UPC, EAN lub ISBN|Nazwa|Opublikowano|Wyróżniony produkt?|Widoczność w katalogu|"
        "Krótki opis|Opis|W magazynie?|Stan magazynowy|"
        "Pozwalać na zamówienia oczekujące (na dostawę do magazynu)?|Cena promocyjna|Cena|Kategorie|Tagi|"
        "Obrazki|Element nadrzędny|Marki|Nazwa atrybutu 1|Wartości atrybutu 1|Widoczność atrybutu 1|"
        "Globalny atrybut 1"
    ),
}


def products(path: Path) -> dict[str, dict[str, Any]]:
    """Returns the fields, attributes and images of each product by its SKU."""
    rows = [row for row in open_source(path).rows() if isinstance(row, RawProduct)]
    return {row.fields["sku"]: {**row.attributes, **row.fields, "images": list(row.images)} for row in rows}


def write(path: Path, header: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, list(WOOCOMMERCE.values())])
    return path


@pytest.mark.parametrize("language", HEADERS)
def test_a_woocommerce_export_in_another_language_gives_the_product_of_the_english_export(
    language: str, tmp_path: Path
):
    expected = products(write(tmp_path / "english.csv", list(WOOCOMMERCE)))
    assert expected["mug"]["size"] == "L"
    path = write(tmp_path / f"{language}.csv", HEADERS[language].split("|"))
    assert open_source(path).name == "woocommerce"
    assert products(path) == expected


def test_the_variations_of_a_german_woocommerce_export_inherit_from_their_parent():
    found = products(FIXTURES / "woocommerce_de.csv")
    assert list(found) == ["pulli-s", "12", "ebuch", "extern"]
    assert [(one["price"], one["availability"]) for one in found.values()] == [
        ("1.045,00", "in_stock"),
        ("45,00", "out_of_stock"),
        ("12,90", "out_of_stock"),
        ("1.299,00", "backorder"),
    ]
    assert found["pulli-s"]["description"] == "Weich\nund leicht"
    assert (found["12"]["brand"], found["12"]["size"], found["12"]["meta:_glanz"]) == ("Acme", "M", "matt")
    assert not any("cost" in name or "url" in name for one in found.values() for name in one)


def test_headers_of_prestashop_are_read_in_german_and_spanish():
    [pulli] = products(FIXTURES / "prestashop_de.csv").values()
    expected = {"sku": "P1", "price": "35,90", "condition": "new", "color": "Rot", "größe": "M", "quantity": "3"}
    assert {name: pulli.get(name) for name in expected} == expected
    assert (pulli["availability"], pulli["images"]) == ("in_stock", ["https://img.example/1.jpg"])
    taza, plato = products(FIXTURES / "prestashop_list_es.csv").values()
    assert (taza["sku"], taza["price"], taza["availability"]) == ("T7", "12,10 €", "in_stock")
    assert (plato["sku"], plato["price"], plato["availability"]) == ("8", "1.493,75 €", "out_of_stock")


def test_the_columns_of_a_localized_export_are_shown_under_their_own_names():
    columns = open_source(FIXTURES / "woocommerce_de.csv").columns
    assert (columns["Regulärer Preis"], columns["Gewicht (kg)"]) == ("price", "attributes.weight_(kg)")
    assert columns["Meta: _wc_cog_cost"] == columns["Download 1 URL"] == "not loaded: private"


@pytest.mark.parametrize("name", ["Position", "Weight (kg)", "Meta: _size", "Attribute 2 value(s)", "My own column"])
def test_an_english_header_keeps_its_name(name: str):
    assert english(name) == normalised(name)
