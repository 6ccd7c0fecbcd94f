"""Converts a cell of a feed to the value that the catalog stores, or raises ValueError with the reason."""

import re
from decimal import Decimal
from functools import lru_cache

from db.catalog.currencies import SYMBOLS
from db.catalog.names import without_accents
from db.catalog.price_words import without_pieces
from db.catalog.prices import shown

_WORDS = {
    **dict.fromkeys((
        "instock", "available", "limitedavailability", "instoreonly", "onlineonly", "lowstock", "lowinstock",
        "limitedstock", "instockonline", "onstock", "unlimited", "unlimitedstock", "unbegrenzt", "illimité",
        "ilimitado", "illimitato", "onbeperkt", "yes", "y", "true", "1",
        # German, French, Spanish, Italian, Dutch, Portuguese, Polish, Swedish and Danish
        "auflager", "vorrätig", "lieferbar", "sofortlieferbar", "verfügbar", "sofortverfügbar", "amlager", "ja",
        "enstock", "disponible", "disponibleimmédiatement", "stocklimité", "oui", "hayexistencias", "sí",
        "disponibile", "disponibilitàimmediata", "sì", "opvoorraad", "leverbaar", "beschikbaar", "emestoque",
        "disponível", "sim", "dostępny", "wmagazynie", "tak", "ilager", "pålager",
    ), "in_stock"),
    **dict.fromkeys((
        "outofstock", "outstock", "nostock", "notinstock", "soldout", "unavailable", "notavailable", "discontinued",
        "reserved", "no", "n", "false", "0",
        "nichtauflager", "nichtvorrätig", "nichtlieferbar", "nichtverfügbar", "ausverkauft", "vergriffen", "nein",
        "rupturedestock", "enrupturedestock", "enrupture", "épuisé", "indisponible", "nondisponible", "non",
        "agotado", "sinexistencias", "sinstock", "nodisponible", "esaurito", "nondisponibile", "nietopvoorraad",
        "uitverkocht",
        "nietleverbaar", "nee", "esgotado", "indisponível", "semestoque", "não", "niedostępny", "brak", "wyprzedany",
        "nie", "slut", "slutilager", "slutsåld", "ejilager", "udsolgt", "ikkepålager",
    ), "out_of_stock"),
    **dict.fromkeys((
        "preorder", "presale", "onpreorder", "vorbestellbar", "vorbestellung", "précommande", "enprécommande",
        "preventa", "preordine", "prevendita", "prévenda",
    ), "preorder"),
    **dict.fromkeys(
        (
            "backorder", "backorders", "backordered", "onbackorder", "madetoorder", "availablefororder",
            "aufbestellung", "nachbestellt", "surcommande", "bajopedido", "suordinazione", "opbestelling",
            "sobencomenda", "nazamówienie",
        ), "backorder"
    ),
}  # fmt: skip
_AVAILABILITY = {without_accents(word): value for word, value in _WORDS.items()}

MAX_INTEGER = 2_147_483_647  # the largest value of the columns' type, integer
BEST_RATING = 5
CENT = Decimal("0.01")

# The name of a scheme, except http, https, s3 and gs. The pattern allows control characters and blanks in front of and
# inside such a name, because browsers ignore some of them. The constraint product_address_check has the same pattern.
OTHER_SCHEME = re.compile(r"[\u0001-\u0020]*(?!(https?|s3|gs)://)[a-z][a-z0-9+\u0001-\u0020-]*:", re.IGNORECASE)
_WHOLE = re.compile(r"'?(?P<number>[+-]?[0-9]{1,10})(?:[.,](?:0{1,2}|0{4,9}))?")
_GROUPED = re.compile(r"(?P<number>-?[0-9]{1,3}(?:(?P<mark>[,.' ])[0-9]{3})(?:(?P=mark)[0-9]{3})*)")
_NUMBER_LAST = re.compile(r"(?P<word>[^\W\d][^\d(:>]*?)(?:\s*[:(]\s*|,?\s[\u2013-]?\s*)(?P<number>[>\d][^()]*)\)?")
_NUMBER_FIRST = re.compile(r"(?P<number>>?\s?\d[\d.,' ]*\+?)\s(?P<word>[^\d]+)")
_RATING = re.compile(
    r"(?P<number>[0-9]{1,3}(?:[.,][0-9]{1,20})?)\s*(?:(?:/|out of)\s*(?P<best>[0-9]{1,3}))?(?:\s*stars?)?"
)


@lru_cache
def currency(cell: str) -> str:
    code = SYMBOLS.get(cell.strip(), cell.strip().upper())
    if re.fullmatch("[A-Z]{3}", code) is None:
        raise ValueError(f'currency "{shown(cell)}" is not a code of three letters such as USD')
    return code


@lru_cache
def availability(cell: str) -> str:
    """Read a feed's value ("in stock", "in_stock", "auf Lager", "in stock (3)") or schema.org's
    ("https://schema.org/InStock")."""
    found = _of_word(cell) or _with_number(cell)[1]
    if found is None:
        raise ValueError(f'availability "{shown(cell)}" is none of in_stock, out_of_stock, preorder, backorder')
    return found


def _of_word(cell: str) -> str | None:
    return _AVAILABILITY.get(
        without_accents(re.sub(r"[\s_]|(?<=\w)-", "", cell.rstrip("/").rpartition("/")[2]).lower())
    )


def _with_number(cell: str) -> tuple[int | None, str | None]:
    """Read a number and an availability, such as "in stock (3)", "Auf Lager: 12 Stk." or "3 in stock". Return None for
    both if the text is not like this, or if it contradicts itself, as in "in stock (0)". A positive number beside "out
    of stock" does not count."""
    text = " ".join(cell.split())
    if found := _NUMBER_LAST.fullmatch(text) or _NUMBER_FIRST.fullmatch(text):
        word = _of_word(found["word"])
        try:
            number = quantity(found["number"])
        except ValueError:
            return None, None
        if word == "in_stock" and number <= 0:
            return (number, "out_of_stock") if found.re is _NUMBER_FIRST else (None, None)
        if word:
            return (None if word == "out_of_stock" and number > 0 else number), word
    return None, None


def address(cell: str) -> str:
    """Read the address of a page or an image. An address without a scheme is accepted, because it may be relative.

    Raises ValueError for any scheme but http, https, s3 and gs, because a link to an address such as
    javascript:alert(1) would run the code of a stranger.
    """
    if OTHER_SCHEME.match(cell):
        raise ValueError(f'address "{shown(cell)}" begins with neither https:// nor http://')
    return cell


def gtin(cell: str) -> str:
    """Read a GTIN of 8, 12, 13 or 14 digits, or an ISBN of 10 characters. Blanks and hyphens are removed."""
    if cell.isascii() and cell.isdecimal():
        code = cell
    else:
        code = re.sub(r"[\s-]", "", cell.removeprefix("'")).removesuffix(".0").upper()
    if len(code) in (8, 12, 13, 14) and code.isascii() and code.isdecimal():
        valid = (sum(map(int, code[-1::-2])) + 3 * sum(map(int, code[-2::-2]))) % 10 == 0
    elif re.fullmatch("[0-9]{9}[0-9X]", code):
        checked = sum(
            weight * (10 if digit == "X" else int(digit)) for weight, digit in zip(range(10, 0, -1), code, strict=True)
        )
        valid = checked % 11 == 0
    elif re.fullmatch(r"[0-9]+([.,][0-9]+)?E[+]?[0-9]+", code):
        raise ValueError(
            f'gtin "{shown(cell)}" is a number that a spreadsheet has shortened; format the column as text'
        )
    else:
        raise ValueError(f'gtin "{shown(cell)}" does not have 8, 12, 13 or 14 digits')
    if not valid:
        raise ValueError(f'gtin "{shown(cell)}" has a wrong check digit')
    return code


@lru_cache
def quantity(cell: str) -> int:
    return _whole_number(without_pieces(cell), may_have_decimals=True)


@lru_cache
def stock(cell: str) -> tuple[int | None, str | None]:
    """Read a number of pieces, or an availability, or both, as in "12 pcs", "sold out" and "in stock (3)"."""
    try:
        return quantity(cell), None
    except ValueError:
        if word := _of_word(cell):
            return None, word
        found = _with_number(cell)
        if found == (None, None):
            raise
        return found


@lru_cache
def review_count(cell: str) -> int:
    found = _whole_number(cell, may_have_decimals=False)
    if found < 0:
        raise ValueError(f'"{shown(cell)}" is negative')
    return found


def _whole_number(cell: str, *, may_have_decimals: bool) -> int:
    """Read a whole number such as "5", "5.00", "1 290" or "1,290". "1,000" may be 1 with three decimals or 1000, so it
    is refused for a number that may have decimals."""
    cell = " ".join(cell.split())  # blanks of any width
    if found := _WHOLE.fullmatch(cell):
        number = int(found["number"])
    elif (found := _GROUPED.fullmatch(cell)) and not (may_have_decimals and re.fullmatch(r"-?\d+[,.]000", cell)):
        number = int(re.sub("[,.' ]", "", found["number"]))
    else:
        raise ValueError(f'"{shown(cell)}" is not a whole number')
    if abs(number) > MAX_INTEGER:
        raise ValueError(f'"{shown(cell)}" is over {MAX_INTEGER:,}')
    return number


@lru_cache
def rating(cell: str) -> Decimal:
    """Read a rating such as "4.5". The scale ends at 5, unless another scale follows the number, as in "8.5/10"."""
    found = _RATING.fullmatch(cell)
    if found is None:
        raise ValueError(f'"{shown(cell)}" is not a number')
    number, best = Decimal(found["number"].replace(",", ".")), int(found["best"] or BEST_RATING)
    if number > best or not best:
        raise ValueError(f'"{shown(cell)}" is not on the scale to {best}; another scale is written as in 8.5/10')
    number = number * BEST_RATING / best if best != BEST_RATING else number
    return number if number == number.quantize(CENT) else number.quantize(CENT)


def phash(cell: str) -> str:
    """Convert 16 hexadecimal digits to the 64 binary digits of a bit(64)."""
    if re.fullmatch("[0-9a-fA-F]{16}", cell) is None:
        raise ValueError(f'image_phash "{shown(cell)}" is not 16 hexadecimal digits')
    return f"{int(cell, 16):064b}"
