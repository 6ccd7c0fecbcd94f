"""Recognises columns with the dates of a sale by the words of their names, such as "Angebot gültig ab"."""

import re
from functools import lru_cache

from db.catalog.names import plain_words
from db.catalog.product import SALE_DATES

# Words are spelled without accents. A word of a sale begins with one of these texts.
_SALE = re.compile(
    "(?:on)?sale(?!s)|promo|special(?!ist)|offer(?!ing)|discount|deal(?!er)|markdown|clearance|campaign|reduc|reduz"
    "|angebot|aktion|rabat|sonderpreis|sonderangebot|solde|remise|offre|ofert|offert|scont|saldi|descuent|descont"
    "|rebaja|aanbied|actie(?!f)|korting|znizk|przecen|tilbud|kampan|kampagn|erbjud|rea$|reapris|slev|akc[ei]|indirim"
)
_START = re.compile(
    "from|start|begin|began|since|(?:.*s)?beginn|seit|anfang|.*start$|debut|depuis|partir|inici|desde|inizi|dal$|vanaf"
    "|poczat|startdat|begindat|fra$|fran$|zacat|baslang"
)
_END = re.compile(
    "end(?:s|e|date|datum|time)?$|(?:.*s)ende$|until|till?$|through|thru|expir|bis$|fin$|jusqu|hasta|fine$|tot$|eind"
    "|koniec|konc|slut|termino|fim$|ate$|scad|ablauf|stop|konec|bitis"
)
# Short words mean the start or the end only at the end of a name, or beside a word of _DATE.
_SHORT_START = frozenset(("ab", "von", "vom", "van", "du", "da", "dal", "od", "de", "fra"))
_SHORT_END = frozenset(("to", "au", "al", "a", "do", "zum"))
_DATE = frozenset(("date", "dates", "time", "datetime", "datum", "data", "fecha", "dato", "tarih"))
_VALID = re.compile("valid|gultig|gueltig|valable|valide|geldig|wazn|vigen|gyldig|giltig")
_PERIOD = re.compile(
    ".*(?:period|zeitraum|laufzeit|duration|duree|validity|gultigkeit|validite|vigenc|okres|dauer$|dates$)"
)
_PRICE = frozenset(("price", "preis", "prix", "precio", "prezzo", "prijs", "preco", "cena", "pris", "effective"))
# A name with one of these words does not hold a date.
_OTHER = frozenset((
    "id", "ids", "code", "url", "link", "name", "label", "text", "title", "type", "note", "qty", "quantity", "menge",
    "percent", "percentage", "amount", "count", "number", "min", "max", "image", "category",
))  # fmt: skip


@lru_cache(maxsize=10_000)
def date_of_sale(name: str) -> str | None:
    """Returns sale_starts_at, sale_ends_at or SALE_DATES for a column with such dates, and None for other columns. A
    name without a word of a sale, such as "valid from" and "end date", counts if it has no other words."""
    words = plain_words(name)
    if not words or not _OTHER.isdisjoint(words):
        return None
    joined = [word for word in words if _SALE.match(word)]
    side = _side(words)
    if not joined:
        rest = [word for word in words if not _is_of_side(word) and word not in (*_DATE, *_PRICE)]
        is_bare = not rest and not _DATE.isdisjoint(words) and all(not word.startswith("expir") for word in words)
        return side if is_bare or (rest and all(map(_VALID.match, rest))) else None
    if side:
        return side
    if any(map(_PERIOD.match, words)):
        return SALE_DATES
    rest = [word for word in words if word not in (*joined, *_DATE, *_PRICE)]
    is_date = not _DATE.isdisjoint(words) or any(re.search("dat(?:e|um|a)$", word) for word in joined)
    return SALE_DATES if is_date and not rest else None


def _side(words: tuple[str, ...]) -> str | None:
    found = {side for place, word in enumerate(words) if (side := _side_of(word, _is_at_edge(words, place)))}
    return found.pop() if len(found) == 1 else None


def _side_of(word: str, is_at_edge: bool) -> str | None:
    if _START.match(word) or (is_at_edge and word in _SHORT_START):
        return "sale_starts_at"
    return "sale_ends_at" if _END.match(word) or (is_at_edge and word in _SHORT_END) else None


def _is_of_side(word: str) -> bool:
    return _side_of(word, True) is not None


def _is_at_edge(words: tuple[str, ...], place: int) -> bool:
    beside = words[max(place - 1, 0) : place + 2]
    return place == len(words) - 1 or not _DATE.isdisjoint(beside)
