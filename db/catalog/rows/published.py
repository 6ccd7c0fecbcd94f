"""Recognises columns that say whether a shop shows and sells a product, such as "visible", "published" and "sold out",
and their values."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from db.catalog.names import plain_words
from db.catalog.rows.meant import is_off
from db.catalog.rows.options import is_true, says_availability

# Names without blanks, accents and punctuation
_OF_PRODUCT = "(?:is|ist|est|product|produkt|produit|producto|prodotto|article|artikel|item|listing)*"
_SHOP = "(?:in|on|im|for|op|en|sur|dans)?(?:web|online)?(?:store|shop|site|website|boutique|storefront)"
_SHOWN = re.compile(
    f"{_OF_PRODUCT}(?:{_SHOP})?"
    "(?:visible|published|publish|active|activated|enabled|displayed|show|shown|listed|live|online"
    "|available(?:for(?:sale|order|purchase)|online)?|disponible|disponibile|beschikbaar"
    "|forsale|sale?able|sellable|sichtbar|veroffentlicht"
    "|aktiv|aktiviert|publie|publiee|actif|active|publicado|activo|habilitado|pubblicato|attivo|visibile|abilitato"
    "|gepubliceerd|zichtbaar|actief|ativo|visivel|widoczny|aktywny|opublikowany|publicerad|synlig|enligne|tekoop)"
    f"(?:flag|yesno|online|{_SHOP})?"
)
_HIDDEN = re.compile(
    _OF_PRODUCT
    + "(?:hidden|hide(?:product|item)?|disabled|archived|draft|unpublished|deleted?|inactive|versteckt|ausgeblendet"
    "|deaktiviert|archiviert|inaktiv|geloscht|masque|desactive|supprime|oculto|nascosto|verborgen|ukryty|isdeleted"
    "|soldout|outofstock|ausverkauft|epuise|agotado|esaurito|uitverkocht|esgotado"
    f"|nicht(?:{_SHOP})?(?:anzeigen|sichtbar|aktiv))(?:flag|{_SHOP})?"
)
# The action that a template asks a marketplace to perform, such as eBay's "*Action(SiteID=Germany|...)"
_ACTION = re.compile("(?:record|feed|import|row)?action(?:siteid.*)?|updatedelete|operation")
_REMOVED = frozenset((
    "delete", "deleted", "end", "remove", "removed", "loschen", "entfernen", "supprimer", "eliminar", "eliminare",
    "verwijderen", "usun",
))  # fmt: skip
_SINCE = re.compile(_OF_PRODUCT + "(?:deleted|archived|removed|disabled)(?:at|on|date)")  # such as "deleted_at"
_STATUS = re.compile(
    _OF_PRODUCT
    + "(?:status|state|visibility|publication|publicationstatus|publishstatus|publishingstatus|publishedstatus"
    "|statut|estado|stato|sichtbarkeit|visibilite|visibilidad|visibilita|zichtbaarheid|widocznosc)"
)
NOT_SHOWN = frozenset((
    "draft", "archived", "proposed", "rejected", "private", "trash", "trashed", "hidden", "inactive", "disabled",
    "unlisted", "unpublished", "deleted", "not published", "not visible", "not visible individually", "invisible",
    "nowhere", "none", "false", "no", "entwurf", "archiviert", "inaktiv", "deaktiviert", "versteckt", "unsichtbar",
    "brouillon", "archive", "inactif", "masque", "borrador", "archivado", "inactivo", "oculto", "bozza", "archiviato",
    "inattivo", "nascosto", "concept", "gearchiveerd", "inactief", "verborgen", "rascunho", "arquivado", "inativo",
    "szkic", "nieaktywny", "ukryty", "staging", "offline", "ended", "expired", "sold", "removed", "suspended",
    "blocked", "deactivated", "beendet", "abgelaufen", "verkauft", "gesperrt", "geloscht", "desactive", "supprime",
    "expire", "hors ligne", "desactivado", "eliminado", "disattivato", "eliminato", "verwijderd",
))  # fmt: skip


@lru_cache(maxsize=10_000)
def says_shown(name: str) -> bool:
    """Returns whether a column with this name can say that the product is not shown."""
    return _kind(name) is not None


def is_hidden(columns: Mapping[str, Any], availability: str) -> bool:
    """Returns whether one of the columns hides a product (see `hides`). A preorder or a backorder can be sold without
    stock, so a column that says that the product is not available does not hide it."""
    can_be_ordered = "order" in availability.lower()
    return any(
        hides(name, cell) and not (can_be_ordered and says_availability(name, cell)) for name, cell in columns.items()
    )


def hides(name: str, cell: Any) -> bool:
    """Returns whether a cell of such a column says that the product is not shown, is deleted or is sold out."""
    kind = _kind(name)
    if kind is _SINCE:
        return type(cell) in (str, int) and re.search("[1-9]", str(cell)) is not None
    if kind is _ACTION:
        return isinstance(cell, str) and "".join(plain_words(cell.lower())) in _REMOVED
    if kind is _HIDDEN and cell == "1" and "".join(plain_words(name)).endswith("outofstock"):
        return False  # in PrestaShop, 1 means that a product without stock can be ordered
    if kind is _HIDDEN:
        return cell is True or (isinstance(cell, str) and is_true(cell))
    not_shown = isinstance(cell, str) and " ".join(plain_words(cell.lower())) in NOT_SHOWN
    if kind is _SHOWN:
        return not_shown or is_off(cell)
    return kind is _STATUS and (not_shown or (name.endswith("status") and is_off(cell)))


@lru_cache(maxsize=10_000)
def _kind(name: str) -> re.Pattern[str] | None:
    plain = "".join(plain_words(name))
    return next((kind for kind in (_SHOWN, _HIDDEN, _STATUS, _ACTION, _SINCE) if kind.fullmatch(plain)), None)
