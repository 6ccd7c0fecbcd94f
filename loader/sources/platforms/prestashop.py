"""Reads the product tables that PrestaShop's back office exports and imports. Headers are in the shop's language."""

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from db.catalog.names import normalised, plain_words
from db.catalog.plain_text import plain_text
from db.catalog.prices import CENT
from db.catalog.product import RawProduct
from db.catalog.rows.cells import image_paths
from db.catalog.rows.options import condition_of, is_false, is_true, stock_sign
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.platform_table import Cells, PlatformTable, offer, price_in_cents, product, set_options

NAMES = {
    "id": ("product_id", "id", "id_product", "id_produit", "id_produkt", "produkt_id", "id_del_producto",
           "id_prodotto", "id_produktu", "id_do_produto"),
    "sku": ("reference", "référence", "referencia", "riferimento", "referência", "referentie", "artikel_nr.",
            "artikelnummer", "bestell_nr.", "indeks", "reference_no."),
    "title": ("name", "nom", "nombre", "nome", "naam", "nazwa", "bezeichnung", "product_name", "artikelname"),
    "description": ("description", "descripción", "descrizione", "descrição", "beschreibung", "omschrijving", "opis",
                    "summary", "short_description", "récapitulatif", "résumé", "description_short", "resumen",
                    "riepilogo", "resumo", "kurzbeschreibung", "zusammenfassung", "samenvatting", "podsumowanie"),
    "brand": ("brand", "manufacturer", "manufacturer_name", "marque", "fabricant", "marca", "fabricante", "marchio",
              "produttore", "marke", "hersteller", "merk", "fabrikant", "marka", "producent"),
    "product_type": ("categories", "category", "catégories", "catégorie", "categorías", "categoría", "categorie",
                     "categoria", "categorias", "kategorien", "kategorie", "categorieën"),
    "price": ("price_tax_incl.", "price_tax_included", "final_price", "price_tax_included_or_price_tax_excluded",
              "prix_ttc", "prix_de_vente_ttc", "precio_con_iva", "precio_impuestos_incluidos",
              "prezzo_tasse_incluse", "prezzo_ivato", "bruttopreis", "preis_inkl._mwst.", "preis_brutto",
              "cena_brutto", "prijs_incl._btw", "preço_com_impostos", "precio_imp._incl.", "precio_con_impuestos",
              "prezzo_tasse_incl.", "prezzo_iva_inclusa", "preis_inkl._steuern", "preis_inkl._ust.",
              "prijs_inclusief_btw", "preço_imp._incl.", "cena_z_podatkiem", "price", "prix", "precio", "prezzo",
              "preis",
              "prijs", "cena", "preço", "price_tax_excluded_or_price_tax_included", "price_tax_excl.",
              "price_tax_excluded", "base_price", "prix_ht", "prix_de_vente_ht", "precio_sin_iva",
              "precio_impuestos_excluidos", "prezzo_tasse_escluse", "nettopreis", "preis_zzgl._mwst.",
              "preis_netto", "cena_netto", "prijs_excl._btw", "preço_sem_impostos", "precio_imp._excl.",
              "precio_sin_impuestos", "prezzo_tasse_escl.", "prezzo_iva_esclusa", "preis_zzgl._steuern",
              "preis_ohne_mwst.", "preis_exkl._mwst.", "prijs_exclusief_btw", "preço_imp._excl.",
              "cena_bez_podatku"),
    "amount_off": ("discount_amount", "reduction_amount", "reduction_price", "montant_de_la_remise", "rabattbetrag",
                   "importe_de_descuento", "importe_del_descuento", "importo_sconto", "importo_dello_sconto",
                   "kortingsbedrag", "valor_do_desconto", "kwota_rabatu"),
    "percent_off": ("discount_percent", "discount_percentage", "reduction_percent", "reduction_percentage",
                    "pourcentage_de_la_remise", "rabatt_prozent", "porcentaje_de_descuento", "porcentaje_del_descuento",
                    "percentuale_sconto", "percentuale_di_sconto", "kortingspercentage", "percentagem_de_desconto",
                    "percentagem_do_desconto", "procent_rabatu"),
    "sale_starts_at": ("discount_from", "reduction_from", "remise_à_partir_du", "rabatt_von", "descuento_desde",
                       "sconto_dal", "sconto_da", "korting_van", "korting_vanaf", "desconto_de", "rabat_od"),
    "sale_ends_at": ("discount_to", "reduction_to", "remise_jusqu'au", "rabatt_bis", "descuento_hasta", "sconto_al",
                     "sconto_a", "sconto_fino_a", "korting_tot", "desconto_até", "rabat_do"),
    "gtin": ("ean13", "ean_13", "gtin", "ean", "upc", "isbn"),
    "mpn": ("mpn",),
    "image": ("image_urls", "image", "url_des_images", "urls_des_images", "url_de_las_imágenes", "url_de_imágenes",
              "url_immagini", "bild_urls", "bild", "afbeelding_urls", "adresy_url_zdjęcia", "immagine", "imagen",
              "image_url", "photo", "cover"),
    "keywords": ("tags", "mots_clés", "étiquettes", "etiquetas", "tag", "tagi", "stichwörter"),
    "condition": ("condition", "état_du_produit", "condición", "condizione", "zustand", "conditie", "stan"),
    "feature": ("feature", "features", "caractéristique", "caractéristiques", "característica", "características",
                "caratteristica", "caratteristiche", "merkmal", "funktion", "eigenschap", "cecha"),
    "active": ("active", "actif", "activo", "attivo", "aktiv", "actief", "aktywny", "ativo", "status", "statut",
               "estado", "stato", "état", "activé", "enabled"),
    "visibility": ("visibility", "visibilité", "visibilidad", "visibilità", "sichtbarkeit", "zichtbaarheid",
                   "widoczność"),
    "orderable": ("available_for_order", "disponible_à_la_commande", "disponible_pour_la_commande",
                  "disponible_para_pedidos", "disponibile_per_l'ordine", "bestellbar", "beschikbaar_voor_bestelling"),
    "quantity": ("quantity", "quantité", "cantidad", "quantità", "menge", "aantal", "ilość", "quantidade", "stock"),
    "when_out": ("action_when_out_of_stock", "out_of_stock", "out_of_stock_action",
                 "action_en_cas_de_rupture_de_stock", "action_si_rupture_de_stock", "action_si_en_rupture_de_stock",
                 "nicht_vorrätig_aktion", "aktion_bei_ausverkauf", "acción_cuando_se_agoten_las_existencias",
                 "azione_quando_esaurito", "actie_bij_geen_voorraad"),
}  # fmt: skip
SHOWN = {
    "id": "sku, attributes.product_id",
    "keywords": "attributes.keywords",
    "feature": "color, size, material, attributes",
    **dict.fromkeys(("active", "visibility", "orderable", "when_out"), "availability"),
    **dict.fromkeys(("amount_off", "percent_off"), "sale_price"),
}
AMOUNT, PERCENT = NAMES["amount_off"], NAMES["percent_off"]
WITHOUT_SALE = {field: names for field, names in NAMES.items() if field not in ("sale_starts_at", "sale_ends_at")}
WITH_TAX = NAMES["price"][: NAMES["price"].index("price_tax_excluded_or_price_tax_included")]
# A column with one of these names holds the condition (new, used) if another column says whether the product is active.
# Otherwise the column itself says whether the product is active.
STATE = ("état", "estado", "stato")
# Parts of headers that only PrestaShop writes: two names of columns, and remarks. A remark says how cells are written
# or whether a price contains taxes.
SIGN = re.compile(
    r"\(0\s*[/=|]|\(0 |\(x\s*,\s*y|\(name:|\(nom\s*:|tax(es)? (excl|incl)|\((ht|ttc)\)|\bid_product\b|reference #"
    r"|sin iva\)|tasse (escl|incl)|\(yyyy-mm-dd\)|\(imp\. (excl|incl)|\((zzgl|inkl|exkl)\.? |(excl|incl)\.? btw",
    re.IGNORECASE,
)
FEATURE = re.compile(r"\s*([^:,]+):([^:]*):\s*[0-9]+\s*(?::\s*[01]\s*)?(?:,|$)")  # "Colour:Red, dark:3"
HOW_WRITTEN = re.compile(
    r"\(\s*(0\b|1\b|x\s*,|name\s*:|nom\s*:|nombre\s*:|nome\s*:|yyyy|aaaa|value\s*:)[^)]*\)|[*#]", re.IGNORECASE
)
KNOWN = {"".join(plain_words(name)): name for names in NAMES.values() for name in reversed(names)}


@lru_cache(maxsize=10_000)
def spelled(name: str) -> str:
    """Returns the name of a column without remarks such as (0/1), (x,y,z...) and *. A name that differs from a name in
    NAMES only in accents, letter case and punctuation is replaced by the name in NAMES."""
    bare = re.sub(r"\(([^)]*)\)", r" \1", HOW_WRITTEN.sub(" ", name)).replace("n°", " ").strip(" :")
    return KNOWN.get("".join(plain_words(bare)), normalised(bare))


def recognises(head: FileHead) -> bool:
    names = set(map(spelled, head.header))
    known = [field for field in NAMES if names.intersection(NAMES[field])]
    return any(map(SIGN.search, head.header)) and {"id", "title"} <= set(known) and len(known) >= 4


class PrestaShopSource(PlatformTable):
    name = "prestashop"
    platform = "a PrestaShop export"
    FIELDS = NAMES
    SHOWN = SHOWN

    def __init__(self, file: CatalogFile, *, image_root: Path | None) -> None:
        super().__init__(file, image_root=image_root)
        self._condition = NAMES["condition"]
        if set(self._names) & set(NAMES["active"]) - set(STATE):
            self._condition += STATE
            for name in self.columns:
                if spelled(name) in STATE:
                    self.columns[name] = "condition"

    @staticmethod
    def spelled(name: str) -> str:
        return spelled(name)

    def rows(self) -> Iterator[RawProduct | Reject]:
        for found in self.records():
            yield found if isinstance(found, Reject) else _row(*found, self._condition)


def _row(line: int, cells: Cells, of_condition: tuple[str, ...]) -> RawProduct:
    condition = condition_of(cells.take(of_condition))
    availability = _availability(cells)
    sku = cells.take(NAMES["sku"]) or cells.take(NAMES["id"])
    with_tax = bool(cells.peek(WITH_TAX))
    price = price_in_cents(cells, NAMES["price"])
    sale_price = _reduced(cells, price, with_tax)
    categories = [part.strip() for part in cells.take(NAMES["product_type"]).split(",") if part.strip()]
    fields = {
        "sku": sku,
        "title": plain_text(cells.take(NAMES["title"])),
        "description": plain_text(cells.take(NAMES["description"])),
        "brand": cells.take(NAMES["brand"]),
        "product_type": categories[-1].replace("/", " > ") if categories else "",
        "price": price,
        "gtin": cells.take(NAMES["gtin"]),
        "mpn": cells.take(NAMES["mpn"]),
        "condition": condition,
        "availability": availability,
        **offer(cells, NAMES if sale_price else WITHOUT_SALE),
        "sale_price": sale_price,
    }
    written = cells.take(NAMES["image"])
    images = re.findall(r"""src=["']([^"']+)""", written) or (
        image_paths(written) if "://" in written else [part.strip() for part in written.split(",")]
    )
    options = _features(cells.take(NAMES["feature"]))
    attributes: dict[str, Any] = dict(cells)
    tags = cells.take(NAMES["keywords"])
    for name in NAMES["keywords"]:
        attributes.pop(name, None)
    attributes["keywords"] = [tag.strip() for tag in tags.split(",") if tag.strip()]
    attributes["product_types"] = categories if len(categories) > 1 else []
    set_options(fields, attributes, options)
    return product(fields, images, attributes, line)


def _reduced(cells: Cells, price: str, with_tax: bool) -> str:
    """Returns the price less the discount, or "" if there is no discount or if a number cannot be read. A discount is a
    percentage or an amount. An amount includes tax, so it is not subtracted from a price without tax."""
    full, amount, percent = (_number(text) for text in (price, cells.peek(AMOUNT), cells.peek(PERCENT)))
    if not full or not (percent or (amount and with_tax)):
        return ""
    reduced = full * (100 - percent) / 100 if percent else full - (amount or 0)
    return str(reduced.quantize(CENT, ROUND_HALF_UP)) if 0 < reduced < full else ""


def _number(text: str) -> Decimal | None:
    return Decimal(text.replace(",", ".")) if re.fullmatch(r"[0-9]{1,10}([.,]([0-9]{1,2}|[0-9]{4,6}))?", text) else None


def _features(cell: str) -> dict[str, list[str]]:
    """Returns features such as "Composition:Cotton:1, Fit:Slim:2"."""
    found: dict[str, list[str]] = {}
    if FEATURE.sub("", cell).strip():  # features without positions
        features = [feature.split(":") for feature in re.split(r",(?=[^,:]+:)", cell)]
    else:
        features = [[match[1], match[2]] for match in FEATURE.finditer(cell)]
    for name, *values in features:
        if values and name.strip() and values[0].strip():
            found.setdefault(name.strip(), []).append(values[0].strip())
    return found


def _availability(cells: Cells) -> str:
    hidden = cells.peek(NAMES["visibility"]).lower() in ("none", "nowhere", "nulle part", "nirgends")
    if hidden or is_false(cells.peek(NAMES["active"])) or is_false(cells.peek(NAMES["orderable"])):
        return "out_of_stock"
    quantity = stock_sign(cells.peek(NAMES["quantity"]))
    if quantity is None:
        return ""
    if quantity > 0:
        return "in_stock"
    allowed = cells.peek(NAMES["when_out"])
    return "backorder" if allowed != "0" and is_true(allowed) else "out_of_stock"
