"""Recognises columns in which the row of a variant names its parent, such as "Parent SKU" and "Vaterartikel"."""

import re
from functools import lru_cache

from db.catalog.names import plain_words

IDENTIFIERS = ("id", "product_id", "product_number", "item_id", "item_number")
# The columns in which the identifier of the parent is looked up first, before the other identifiers
LOOKED_UP_FIRST: dict[str, tuple[str, ...]] = {
    "parent_id": ("id",),
    "parent_product_id": ("product_id", "id"),
    "parent_product_number": ("product_number",),
    "parent_number": ("product_number", "item_number"),
    "parent_item_id": ("item_id",),
}
# Names without blanks, accents and punctuation
_PARENT = (
    "(?:parent|vater|eltern|padre|pai|genitore|ubergeordnete?[rsn]?|uebergeordnete?[rsn]?|nadrzedn(?:y|a|e|ego|ej)"
    "|bovenliggende?|overordnede?|overordnad)"
)
_MAIN = "(?:master|haupt|stamm|hoofd|glown(?:y|a|e|ego)|principale?|pere)"
_ARTICLE = (
    "(?:artikel[s]?|article|articulo|articolo|artykul[u]?|product|produkt[us]?|produit|producto|prodotto|produto|item"
    "|variant|variante)"
)
_IDENTIFIER = (
    "(?:sku|code|id|no|nr|num|number|nummer|numero|numer|externalid|reference|referencia|ref|codigo|codice|kod"
    "|identifier|indeks|identyfikator|handle|identifizierungsspalte|identifizierung|kennung)"
)
_JOINING = "(?:du|del|do|de|des|der|of|le|el|il|ten)"
_NAME = re.compile(
    f"(?:{_ARTICLE}|{_IDENTIFIER}|{_JOINING})*{_PARENT}(?:{_ARTICLE}|{_IDENTIFIER})*"
    f"|{_MAIN}(?:{_ARTICLE}{_IDENTIFIER}?|{_IDENTIFIER})"
    f"|(?:{_ARTICLE}|{_JOINING})*{_IDENTIFIER}{_JOINING}?{_MAIN}{_ARTICLE}"
    f"|{_IDENTIFIER}{_JOINING}?{_ARTICLE}{_MAIN}|variantof|variantevon|variantede"
    f"|main(?:{_ARTICLE}{_IDENTIFIER}?|sku|code|no|nr|num|number)"
    "|product(?:tmpl|template)(?:id|externalid)*"  # Odoo
)


@lru_cache(maxsize=10_000)
def is_parent(name: str) -> bool:
    """Returns whether a column with this name holds an identifier of the parent."""
    return _NAME.fullmatch("".join(plain_words(name))) is not None


@lru_cache(maxsize=10_000)
def kinds(name: str) -> tuple[str, ...]:
    """Returns the columns in which an identifier of a parent is looked up, in the order in which they are tried. `name`
    is the column in which the variant names its parent."""
    return tuple(dict.fromkeys((*LOOKED_UP_FIRST.get(name, ()), "sku", *IDENTIFIERS)))
