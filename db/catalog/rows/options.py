"""Finds the field of a variant's option, such as "Colour", "Größe" or "Taille", and reads cells with stock quantities,
truth values and conditions of products. Recognises attributes that say whether a product is available."""

import re
from functools import lru_cache
from typing import Any

from db.catalog.names import plain_words
from db.catalog.price_words import without_pieces

COLOR = frozenset((
    "color", "colour", "colors", "colours", "couleur", "couleurs", "farbe", "farben", "colore", "colori", "kleur",
    "cor", "färg", "farve", "farge", "väri", "kolor", "barva", "farba", "szín", "culoare", "renk", "цвет", "колір",
    "цвят", "χρωμα", "χρώμα", "色", "颜色", "顏色", "カラー", "색상", "colorway",
))  # fmt: skip
SIZE = frozenset((
    "size", "sizes", "größe", "groesse", "grösse", "größen", "taille", "tailles", "pointure", "talla", "tallas",
    "tamaño", "tamanho", "taglia", "taglie", "maat", "storlek", "størrelse", "koko", "rozmiar", "velikost", "veľkosť",
    "méret", "mărime", "beden", "размер", "розмір", "μεγεθος", "μέγεθος", "尺寸", "尺码", "サイズ", "사이즈", "mida",
))  # fmt: skip
MATERIAL = frozenset((
    "material", "materials", "materiale", "materiali", "matériau", "matériaux", "matière", "materiaal", "materiał",
    "materiál", "materiaali", "anyag", "malzeme", "материал", "матеріал", "υλικο", "υλικό", "材质", "材質", "素材",
    "소재", "stoff", "fabric", "tissu", "tela", "tessuto", "stof",
))  # fmt: skip


@lru_cache(maxsize=10_000)
def field_of_option(name: str) -> str | None:
    """Returns color, size or material for the name of an option, such as "Color", "Shirt size (EU)" or "pa_color".
    Returns None for other options."""
    words = re.findall(r"\w+", re.sub(r"\([^()]*\)", " ", name.replace("_", " ")).lower())
    for word in (" ".join(words), *words[-1:], *words[:1]):
        for field, names in (("color", COLOR), ("size", SIZE), ("material", MATERIAL)):
            if word in names:
                return field
    return None


TRUE = frozenset((
    "1", "true", "yes", "y", "on", "enabled", "active", "ja", "oui", "si", "sí", "sì", "sim", "tak", "wahr", "vrai",
    "verdadero", "vero", "verdadeiro", "waar", "prawda",
))  # fmt: skip
FALSE = frozenset((
    "0", "false", "no", "n", "off", "disabled", "inactive", "nein", "non", "nee", "não", "nao", "nie", "falsch", "faux",
    "falso", "onwaar", "fałsz",
))  # fmt: skip
CONDITIONS = {
    **dict.fromkeys(("neu", "neuf", "nuevo", "nuovo", "nieuw", "novo", "nowy"), "new"),
    **dict.fromkeys(("gebraucht", "occasion", "usado", "usato", "gebruikt", "używany"), "used"),
    **dict.fromkeys((
        "generalüberholt", "wiederaufbereitet", "reconditionné", "reacondicionado", "ricondizionato", "refurbished",
        "recondicionado", "odnowiony",
    ), "refurbished"),
}  # fmt: skip


def whole_number(cell: str) -> int | None:
    """Returns the number in a cell such as "5", "+5", "-1", "5.0000", "1 290", "'5" or "5 pcs", or None. Three zeros
    after a dot or comma could be decimals or thousands, so "5.000" gives None."""
    found = re.fullmatch(
        r"'?([+-]?[0-9]{1,15}|[+-]?[0-9]{1,3}(?:\s[0-9]{3}){1,4})([.,](0{0,2}|0{4,}))?", without_pieces(cell.strip())
    )
    return int(re.sub(r"\s", "", found[1])) if found else None


def stock_sign(cell: str) -> int | None:
    """Returns 1 for a cell with a positive number, 0 for zero, -1 for a negative number, or None for other texts."""
    found = re.fullmatch(r"'?([+-]?)([0-9][0-9.,' ]*)", without_pieces(cell.strip()))
    if found is None:
        return None
    return 0 if not found[2].strip("0.,' ") else -1 if found[1] == "-" else 1


# Names without blanks, accents and punctuation
_AVAILABILITY = frozenset((
    "available", "availablefororder", "availabletosell", "instock", "instockstatus", "onstock", "outofstock", "soldout",
    "isoutofstock", "issoldout", "purchasable", "ispurchasable", "sellable", "orderable", "verfugbar", "verfuegbar",
    "istverfugbar", "vorratig", "auflager", "anlager", "bestellbar", "ausverkauft", "abverkauf", "bestandsstatus",
    "lagerstatus", "disponible", "disponibles", "enstock", "horsstock", "epuise", "rupture",
    "rupturedestock", "statutstock", "etatdustock", "agotado", "estadodelstock", "estadostock", "disponibile",
    "disponibili", "esaurito", "statogiacenza", "statostock", "opvoorraad", "voorraadstatus",
    "leverbaar", "beschikbaar", "uitverkocht", "disponivel", "emestoque", "esgotado", "dostepny", "dostepne",
    "nastanie", "wmagazynie", "ilager", "palager", "tillganglig", "stockstate",
    "inventorystatus", "inventorypolicy", "inventorymanagement", "inventorytracker", "inventorytracked",
    "tracksinventory", "trackinventory", "trackstock", "trackquantity", "managestock", "managinginventory",
    "closeout", "iscloseout", "lastsale", "oversell", "allowoversell", "overselling", "sellwhenoutofstock",
    "continuesellingwhenoutofstock", "sellwithoutstock", "uberverkauf", "uberverkaufe", "nachbestellbar",
))  # fmt: skip
_PART_OF_AVAILABILITY = re.compile(
    "backorder|preorder|vorbestell|precommande|preventa|preordine|availability|verfugbarkeit|disponibili[td]"
)


def says_availability(name: str, cell: Any) -> bool:
    """Returns whether an attribute says that a product is available, or that it is sold without stock, such as
    "Available", "Auf Lager", "backorders" or "track_inventory". The attribute `inventory` counts if its cell is no
    number."""
    return _is_availability(name) or (name == "inventory" and isinstance(cell, str) and stock_sign(cell) is None)


@lru_cache(maxsize=10_000)
def _is_availability(name: str) -> bool:
    plain = "".join(plain_words(name))
    return plain in _AVAILABILITY or _PART_OF_AVAILABILITY.search(plain) is not None


def is_true(cell: str) -> bool:
    return cell.strip().lower() in TRUE


def is_false(cell: str) -> bool:
    return cell.strip().lower() in FALSE


def condition_of(cell: str) -> str:
    """Returns the condition of a product in lower case. A word in CONDITIONS is translated to English."""
    return CONDITIONS.get(cell.lower(), cell.lower())
