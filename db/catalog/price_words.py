# ruff: noqa: RUF001 - words of all scripts
"""Removes the words that shops write beside a price: taxes, "from", "now", shipping and the unit of a single piece.

The lists are fixed. Other words are not removed. A price with another word, such as "/ kg", is refused, unless the word
is a currency.
"""

import re
from typing import NamedTuple

FROM, EXCLUDING_TAX = "from", "excl. tax"  # `prices.decided` writes them beside a price, and `without_words` reads them

_TAX = (
    r"(?:(?:of |of all |all |sales |gesetzl\.? |the )?(?:tax(?:es)?|VAT|V\.A\.T|GST|HST|SST)|MwSt|Mw\.-?St|USt|"
    r"Mehrwertsteuer|Umsatzsteuer|TVA|IVA|I\.V\.A|IGIC|BTW|moms|mva|ALV|DPH|ÁFA|KDV|НДС|ПДВ|ДДС|ΦΠΑ|Φ\.Π\.Α|PVM|PVN|"
    r"PDV(?:-om)?|DDV|VSK|PPN|impuestos?|impostos?|Steuern?|消費税|税|稅|부가세)"
)
_RATE = r"(?:[0-9]{1,2}(?:[.,][0-9]{1,2})? ?%)?"
_WITH = (
    r"(?:incl(?:uding|usive)?|inc|inkl(?:usive)?|ink|inclusief|einschl(?:ießlich)?|with|mit|avec|con|com|med|met|vč|"
    r"včetně|vrátane|s|z|cu|με|с|з|вкл|включая|sis|ar|su|sa|termasuk|y compris)"
)
_WITHOUT = (
    r"(?:excl(?:uding|usive)?|exc|ex|exkl(?:usive)?|exclusief|zzgl|zuzüglich|plus|ohne|without|before|hors|sans|sin|más|"
    r"sem|senza|\+ ?|zonder|utan|uten|uden|eks|ekskl|bez|fără|χωρίς|без|ilman|brez|tanpa)"
)
_INCLUDED = (
    r"(?:incl(?:uded|uding|usive|uid[oa]|uíd[oa]|us[eao]?|usă)?|inc|inkl|comprise?|compres[ao]|inbegrepen|inkluderat|"
    r"inkludert|enthalten|dahil|вкл(?:ючен[ао]?|ючён)?|込み?|포함)"
)
_EXCLUDED = r"(?:excl(?:uded|uding|uid[oa])?|exkl|escl(?:us[ao])?|exclus[eă]?|hariç|extra|別|抜き?|별도)"


def _tax(before: str, after: str, alone: str) -> re.Pattern[str]:
    """Returns a pattern of phrases such as "incl. 19% VAT", "VAT incl." and "TTC"."""
    return re.compile(
        rf"(?<!\w)(?:{before}\.? ?{_RATE} ?{_TAX}\.?(?!\w)(?: ?{_RATE})"
        rf"|{_RATE} ?{_TAX}\.? ?{_RATE} ?{after}(?!\w)\.?|(?:{alone})(?!\w)\.?)",
        re.IGNORECASE,
    )


_WITH_TAX = _tax(_WITH, _INCLUDED, r"TTC|T\.T\.C|toutes taxes comprises|brutto|bruttó|gross|áfával|koos km|sis\. ?km")
_WITHOUT_TAX = _tax(_WITHOUT, _EXCLUDED, r"HT|H\.T|netto|nettó|net")
# In Japanese, Chinese and Korean, these words need no blank beside them, so they may touch other characters.
_WITH_TAX_CJK = re.compile("税込み?|稅込|内税|含税|含稅|부가세 ?포함")
_WITHOUT_TAX_CJK = re.compile("税抜き?|税別|外税|不含税|未税|未稅|부가세 ?별도")
_SHIPPING = re.compile(
    rf"(?<!\w)(?:{_WITHOUT}\.? ?(?:Versand(?:kosten)?|shipping|delivery|postage|P&P|frais de port|livraison|"
    r"verzendkosten|spedizione|envío|gastos de envío|frakt|fragt)|free shipping|versandkostenfrei)(?!\w)\.?",
    re.IGNORECASE,
)
_LOWEST = re.compile(
    r"^(?:(?:from|start(?:ing|s) (?:at|from)|as low as|ab|à partir de|a partir de|dès|desde|da(?=.*(?:€|EUR|CHF))|"
    r"a partire da|vanaf|från|fra|już od|od|от|від|начиная (?:с|от)|de la|mulai(?: dari)?)(?!\w)[.:]?)"
    r"|(?:(?<!\w)alkaen|から|起|부터)$",
    re.IGNORECASE,
)
_FILLER_WORD = re.compile(
    r"^(?:only|just|now|nur|jetzt|price|preis|prix|precio|prezzo|prijs|preço|pris|cena|цена|ціна)(?!\w) ?:?",
    re.IGNORECASE,
)
# A single piece, or a number of pieces
_PIECES = (
    r"(?:each|ea|pcs?|pieces?|pce|units?|items?|stück|stk|stck|st|pièces?|unités?|unidad(?:es)?|uds?|pieza|pza|pezz[oi]|pz|"
    r"unità|stuks?|styck|kpl|szt|sztuk[aęi]?|ks|kus|db|darab|adet|шт|штук[ау]?|buc|bucată|τεμ|peças?|un|pair|paire|paar|"
    r"個|件|个|개)"
)
_PIECE = re.compile(
    rf"(?:(?:/|(?<!\w)(?:per|pro|je|por|par|al|la|za|за|pr|p|das|a)(?!\w)\.?) ?(?:1 )?{_PIECES}"
    r"|(?<!\w)(?:each|ea|apiece))(?!\w)\.?$",
    re.IGNORECASE,
)
_UNIT_OF_STOCK = re.compile(rf"(?<=[0-9])\s*{_PIECES}\.?$", re.IGNORECASE)
_AT_LEAST = re.compile(r"^[>≥]=?\s*|(?<=[0-9])\s?\+")
_EDGES = " ,;()[]*"


def without_pieces(stock: str) -> str:
    """Returns a number of pieces, such as "12 pcs" or "12 Stk.", without the unit. From "10+" and "> 10", which mean
    at least 10 pieces, returns "10"."""
    if stock[-1:].isdecimal() and stock[:1] not in (">", "≥"):
        return stock
    return _UNIT_OF_STOCK.sub("", _AT_LEAST.sub("", stock.strip()))


def without_included_tax(text: str) -> str:
    """Returns the text without phrases for included taxes, such as "incl. VAT" and "TTC"."""
    return _WITH_TAX_CJK.sub(" ", _WITH_TAX.sub(" ", text))


class Words(NamedTuple):
    text: str  # the price without the words
    meaning: str | None  # FROM, EXCLUDING_TAX, or None if the words change nothing or contradict each other


def without_words(text: str) -> Words:
    """Returns the text of a price without the words beside it. The text is unchanged if its words contradict each
    other: some say that taxes are excluded, and others say that taxes are included or that the price is the lowest of
    several.
    """
    rest = _SHIPPING.sub(" ", text)
    rest, without_1 = _WITHOUT_TAX.subn(" ", rest)
    rest, without_2 = _WITHOUT_TAX_CJK.subn(" ", rest)
    rest, with_1 = _WITH_TAX.subn(" ", rest)
    rest, with_2 = _WITH_TAX_CJK.subn(" ", rest)
    rest = _FILLER_WORD.sub("", _PIECE.sub("", rest.strip(_EDGES)).strip(_EDGES)).strip(_EDGES)
    rest, lowest = _LOWEST.subn("", rest)
    is_without = bool(without_1 or without_2)
    if is_without and (with_1 or with_2 or lowest):
        return Words(text, None)
    return Words(rest.strip(_EDGES), EXCLUDING_TAX if is_without else FROM if lowest else None)
