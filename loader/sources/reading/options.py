"""Finds the field of a variant's option, such as "Colour", "Größe" or "Taille", and reads cells of stock columns."""

import re
from functools import lru_cache

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
    """Returns color, size or material for the name of an option, such as "Color", "Shirt size (EU)" or "pa_color"."""
    words = re.findall(r"\w+", re.sub(r"\(.*?\)", " ", name.replace("_", " ")).lower())
    for word in (" ".join(words), *words[-1:], *words[:1]):
        for field, names in (("color", COLOR), ("size", SIZE), ("material", MATERIAL)):
            if word in names:
                return field
    return None


def whole_number(cell: str) -> int | None:
    """Returns the number in a cell such as "5", "-1", "5.0000" or "'5", or None."""
    found = re.fullmatch(r"'?(-?[0-9]{1,15})([.,]0*)?", cell.strip())
    return int(found[1]) if found else None


def is_true(cell: str) -> bool:
    return cell.strip().lower() in ("1", "true", "yes", "y", "on", "enabled", "active", "ja", "oui", "si", "sí")


def is_false(cell: str) -> bool:
    return cell.strip().lower() in ("0", "false", "no", "n", "off", "disabled", "inactive", "nein", "non")
