"""Drops attributes that customers must not see, such as purchase prices, suppliers, and names of reviewers."""

from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from typing import Any

from db.catalog.names import normalised, plain_words

# The words of an attribute's name, without accents, decide whether the attribute is private. A name is private if it
# has one of PRIVATE_WORDS, or one of PRIVATE_PAIRS (as two adjacent words or as one word). A name is also private if it
# has a word of REVIEWERS after a word of REVIEWS, or is one of PRIVATE_NAMES. But a name with one of PUBLIC_WORDS is
# always public.
PRIVATE_WORDS = frozenset((
    "cost", "costs", "cogs", "costprice", "costperitem", "wholesale", "wholesaler", "supplier", "suppliers",
    "supplierid", "margin", "markup", "profit", "reviewer", "reviewers", "reviewername", "email", "emails",
    "commission", "b2bking",
    # German and Dutch
    "einkaufspreis", "einkaufspreise", "einkauf", "selbstkosten", "grosshandelspreis", "haendlerpreis", "handlerpreis",
    "lieferant", "lieferanten", "lieferantennummer", "einstandspreis", "bezugspreis", "marge", "handelsspanne",
    "inkoopprijs", "inkoop", "kostprijs", "groothandelsprijs", "leverancier", "leveranciers",
    # French, Spanish, Italian and Portuguese
    "cout", "couts", "fournisseur", "fournisseurs", "costo", "costos", "coste", "costes", "costi", "mayorista",
    "proveedor", "proveedores", "margen", "ingrosso", "fornitore", "fornitori", "margine", "custo", "custos",
    "fornecedor", "fornecedores", "atacado",
    # Polish, Czech, Swedish, Danish, Norwegian, Finnish, Turkish, Russian, Japanese and Chinese
    "koszt", "hurtowa", "dostawca", "marza", "dodavatel", "inkopspris", "leverantor", "indkøbspris", "kostpris",
    "leverandør", "innkjøpspris", "ostohinta", "toimittaja", "maliyet", "tedarikci", "себестоимость", "поставщик",
    "原価", "仕入価格", "仕入先", "成本", "成本价", "供应商",
    # Hungarian, Ukrainian and Korean
    "beszerzesi", "nagyker", "szallito", "beszallito", "собівартість", "постачальник", "공급가", "매입가", "원가",
))  # fmt: skip
PRIVATE_PAIRS = frozenset((
    "purchase_price", "purchasing_price", "buying_price", "buy_price", "dealer_price", "trade_price",
    "reseller_price", "supply_price", "vendor_price", "prix_achat", "prix_gros", "prix_revient", "precio_compra",
    "prezzo_acquisto", "preco_compra", "cena_zakupu", "cena_nabycia", "nakupni_cena", "ek_preis", "ek_netto",
    "ek_brutto", "hek_preis", "alis_fiyati", "закупочная_цена", "закупівельна_ціна", "achat_ht", "pa_ht",
    "handler_ek", "haendler_ek", "distributor_price", "factory_price", "fob_price", "sourcing_price", "floor_price",
    "group_price", "group_prices", "b2_b", "vendor_sku", "vendor_code", "vendor_part", "vendor_number", "profile_name",
    "internal_label", "internal_labels", "internal_comment", "internal_comments", "interne_notiz", "staff_note",
    "staff_notes", "admin_comment", "admin_comments", "admin_notes", "api_key", "license_key", "license_keys",
    "post_password", "internal_note", "internal_notes", "private_note", "private_notes", "admin_note", "e_mail",
    "prix_pro",
    "user_name", "download_url", "file_url", "download_file", "downloads_file",
))  # fmt: skip
# A name with one of GROUPS before or after one of PRICES is private too, because the price is for some customers only.
GROUPS = (
    "member", "members", "membership", "vip", "club", "loyalty", "employee", "staff", "partner", "distributor",
    "dealer", "reseller", "retailer", "trade", "contract", "professional", "customer_group", "role", "mitglieder",
    "mitglied", "mitarbeiter", "handler", "haendler", "kundengruppen", "stammkunden", "membre", "membres", "adherent",
    "revendeur", "miembro", "miembros", "socio", "socios", "distribuidor", "rivenditore", "soci", "leden", "dealers",
    "membros", "revenda", "klubowa", "hurt", "medlems", "medlem",
)  # fmt: skip
PRICES = (
    "price", "prices", "pricing", "preis", "preise", "prix", "precio", "precios", "prezzo", "prezzi", "prijs", "preco",
    "cena", "pris",
)  # fmt: skip
PRIVATE_NAMES = frozenset(("ek", "hek", "password"))  # in Turkish, "ek" in a longer name means "additional"
REVIEWS = frozenset(
    ("review", "reviews", "reviewed", "avis", "bewertung", "bewertungen", "resena", "resenas", "recensione")
)
REVIEWERS = frozenset(
    ("author", "by", "creator", "customer", "name", "nickname", "user", "username", "auteur", "autor")
)
PUBLIC_WORDS = frozenset((  # "shipping_cost" is for customers
    "shipping", "delivery", "livraison", "expedition", "envoi", "envio", "spedizione", "consegna", "versand", "frete",
    "entrega", "verzending", "wysylki", "dostawy", "porto", "frakt", "postage",
))  # fmt: skip
JOINING_WORDS = frozenset(("d", "de", "di", "do", "du", "of"))  # "prix d'achat" has the words of "prix_achat"
# The words are spelled as `plain_words` spells the words of a name. "B2B" becomes "b2" and "b".
_OF_GROUPS = {pair for group in GROUPS for price in PRICES for pair in (f"{group}_{price}", f"{price}_{group}")}
PRIVATE = frozenset(
    joint.join(plain_words(name)) for name in PRIVATE_WORDS | PRIVATE_PAIRS | _OF_GROUPS for joint in ("_", "")
)
# In {"name": "Cost", "value": 5}, a member in LABELS holds the name of an attribute, and a member in VALUES its value.
LABELS = ("name", "key", "code", "label", "attribute_code", "attribute_name")
VALUES = ("value", "values", "content", "options", "attribute_value")


@lru_cache(maxsize=10_000)
def is_private(name: str) -> bool:
    words = [word for word in plain_words(name) if word not in JOINING_WORDS and not word.isdecimal()]
    if not PUBLIC_WORDS.isdisjoint(words):
        return False
    if "_".join(words) in PRIVATE_NAMES:
        return True
    review = next((place for place, word in enumerate(words) if word in REVIEWS), len(words))
    of_reviewer = not REVIEWERS.isdisjoint(words[review:])
    return of_reviewer or not PRIVATE.isdisjoint([*words, *map("_".join, pairwise(words))])


class PublicAttributes:
    """Drops private and ignored attributes.

    `kept` names private attributes that are not dropped. `ignored` names further attributes that are dropped.
    `dropped` counts how often each private attribute was dropped.
    """

    def __init__(self, *, kept: Collection[str] = (), ignored: Collection[str] = ()) -> None:
        self._kept = frozenset(map(normalised, kept))
        self._ignored = frozenset(map(normalised, ignored))
        self.dropped: Counter[str] = Counter()

    def is_private(self, name: str) -> bool:
        return is_private(name) and normalised(name) not in self._kept

    def is_ignored(self, name: str) -> bool:
        return normalised(name) in self._ignored

    def filtered(self, value: Any, path: str = "") -> Any:
        """Returns a value without the private and ignored members of its objects.

        `path` has the names of the objects that contain the value. These names are needed, because the author of a
        review is private, but the author of a book is not.
        """
        if isinstance(value, list):
            return [self.filtered(member, path) for member in value if not self._is_private_pair(member)]
        if not isinstance(value, dict):
            return value
        public = {}
        for name, member in value.items():
            whole = path + name
            if is_private(whole) and normalised(name) not in self._kept:
                self.dropped[whole] += 1
            elif self._ignored and self.is_ignored(name):
                continue
            elif not isinstance(member, dict | list):
                public[name] = member
            elif not self._is_private_pair(member):
                public[name] = self.filtered(member, "" if normalised(name) in self._kept else f"{whole}.")
        return public

    def _is_private_pair(self, member: Any) -> bool:
        """Returns whether the member pairs a private name with a value. If so, counts the name in `dropped`."""
        if not isinstance(member, dict) or not any(name in member for name in VALUES):
            return False
        label = next((member[name] for name in LABELS if isinstance(member.get(name), str)), "")
        if not self.is_private(label):
            return False
        self.dropped[label] += 1
        return True
