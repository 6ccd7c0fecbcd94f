"""Translates the headers of WooCommerce's export to English. WooCommerce writes headers in the language of the shop.

Cells are the same in every language, except for the decimal mark of prices.
"""

import re
from functools import lru_cache

from db.catalog.names import normalised, plain_words

# The translations of each header, without accents and punctuation: German, French, Spanish, Italian, Dutch, Portuguese,
# Polish and Swedish. If a language has several names, they come from several versions of WooCommerce.
TRANSLATIONS = {
    "type": ("typ", "tipo"),
    "sku": ("artikelnummer", "art nr", "artikelnummer sku", "ugs", "cod", "codice", "kod produktu", "referencia"),
    "name": ("nom", "nombre", "nome", "naam", "nazwa", "namn"),
    "published": ("veroffentlicht", "publie", "publicado", "pubblicato", "gepubliceerd", "opublikowano", "opublikowany",
                  "opublikowane", "publicerad"),
    "is_featured?": ("ist hervorgehoben", "hervorgehoben", "mis en avant", "esta destacado", "destacado",
                     "in primo piano", "uitgelicht", "em destaque", "wyrozniony produkt", "wyrozniony", "ar utvald"),
    "visibility_in_catalog": ("sichtbarkeit im katalog", "katalogsichtbarkeit", "visibilite dans le catalogue",
                              "visibilidad en el catalogo", "visibilita nel catalogo", "zichtbaarheid in catalogus",
                              "zichtbaarheid in de catalogus", "visibilidade no catalogo", "widocznosc w katalogu",
                              "synlighet i katalog", "synlighet i katalogen"),
    "short_description": ("kurzbeschreibung", "description courte", "descripcion corta", "breve descrizione",
                          "descrizione breve", "korte omschrijving", "korte beschrijving", "descricao curta",
                          "krotki opis", "kort beskrivning"),
    "description": ("beschreibung", "descripcion", "descrizione", "omschrijving", "beschrijving", "descricao", "opis",
                    "beskrivning"),
    "date_sale_price_starts": ("datum an dem angebotspreis beginnt", "datum an dem der angebotspreis beginnt",
                               "angebotspreis gultig ab", "date de debut de promo",
                               "dia en que empieza el precio rebajado", "data di partenza del prezzo in saldo",
                               "data di inizio del prezzo in offerta", "startdatum actieprijs",
                               "data de preco promocional comeca em", "data rozpoczecia promocji"),
    "date_sale_price_ends": ("datum an dem angebotspreis endet", "datum an dem der angebotspreis endet",
                             "angebotspreis gultig bis", "date de fin de promo",
                             "dia en que termina el precio rebajado", "termine data del prezzo di vendita",
                             "data di fine del prezzo in offerta", "einddatum actieprijs",
                             "data de preco promocional termina em", "data zakonczenia promocji"),
    "tax_status": ("steuerstatus", "etat de la tva", "statut fiscal", "estado del impuesto", "stato delle imposte",
                   "btw status", "status do imposto", "status podatku", "skattestatus"),
    "tax_class": ("steuerklasse", "classe de tva", "classe tva", "clase de impuesto", "aliquota di imposta",
                  "belastingklasse", "classe de imposto", "klasa podatkowa", "skatteklass"),
    "in_stock?": ("vorratig", "auf lager", "lagerstatus", "en stock", "en inventaire", "existencias", "en inventario",
                  "hay existencias", "in magazzino", "disponibile", "op voorraad", "em estoque", "em stock",
                  "w magazynie", "i lager"),
    "stock": ("bestand", "lager", "lagerbestand", "inventaire", "inventario", "magazzino", "voorraad", "estoque",
              "stan magazynowy", "lagersaldo"),
    "low_stock_amount": ("geringe lagermenge", "geringer lagerbestand", "montant de stock faible",
                         "cantidad de bajo inventario", "ammontare scorte basse", "lage voorraad",
                         "quantidade baixa de estoque", "niski stan magazynowy"),
    "backorders_allowed?": ("lieferruckstande erlaubt", "ruckstande erlaubt",
                            "autoriser les commandes de produits en rupture",
                            "permitir reservas de productos agotados", "abilita gli ordini arretrati",
                            "nabestellingen toestaan", "sao permitidas encomendas",
                            "pozwalac na zamowienia oczekujace na dostawe do magazynu", "tillat restnoteringar"),
    "sold_individually?": ("nur einzeln verkaufen", "einzeln verkauft", "vendre individuellement",
                           "vendido individualmente", "venduto singolarmente", "wordt individueel verkocht",
                           "sprzedawany pojedynczo", "saljs individuellt"),
    "weight": ("gewicht", "poids", "peso", "waga", "vikt"),
    "length": ("lange", "longueur", "longitud", "lunghezza", "lengte", "comprimento", "długosc", "langd"),
    "width": ("breite", "largeur", "anchura", "ancho", "larghezza", "breedte", "largura", "szerokosc", "bredd"),
    "height": ("hohe", "hauteur", "altura", "alto", "altezza", "hoogte", "wysokosc", "hojd"),
    "allow_customer_reviews?": ("kundenrezensionen erlauben", "kundenbewertungen erlauben",
                                "autoriser les avis clients", "permitir valoraciones de clientes",
                                "permetti le recensioni clienti", "klantbeoordelingen toestaan",
                                "permitir avaliacoes de clientes", "wlacz opinie klientow", "włacz opinie klientow"),
    "purchase_note": ("hinweis zum kauf", "kaufhinweis", "note de commande", "note de l achat", "nota de compra",
                      "nota di acquisto", "aankoopnotitie", "notatka do zakupu"),
    "sale_price": ("angebotspreis", "tarif promo", "prix promo", "precio rebajado", "prezzo in offerta", "actieprijs",
                   "preco promocional", "cena promocyjna", "reapris", "rea pris"),
    "regular_price": ("regularer preis", "normaler preis", "tarif regulier", "prix regulier", "precio normal",
                      "precio regular", "prezzo di listino", "reguliere prijs", "normale prijs", "preco",
                      "preco normal", "preco regular", "cena", "cena regularna", "ordinarie pris", "normalpris"),
    "categories": ("kategorien", "categorias", "categorie", "categorieen", "kategorie", "kategorier"),
    "tags": ("schlagworter", "schlagworte", "etiquettes", "etiquetas", "etichette", "tag", "tagi", "taggar",
             "etiketter"),
    "brands": ("marken", "marke", "marques", "marque", "marcas", "marca", "marchi", "marchio", "merken", "merk",
               "marki", "varumarken", "brand"),
    "shipping_class": ("versandklasse", "classe d expedition", "classe de livraison", "clase de envio",
                       "classe di spedizione", "verzendklasse", "classe de entrega", "klasa wysyłkowa",
                       "fraktklass"),
    "images": ("bilder", "imagenes", "immagine", "immagini", "afbeeldingen", "imagens", "obrazki", "obrazy"),
    "download_limit": ("downloadlimit", "limite de telechargement", "limite de descargas", "limite di download",
                       "downloadlimiet", "limite de downloads", "limit pobran"),
    "download_expiry_days": ("ablauftage des downloads", "jours d expiration du telechargement",
                             "dias de caducidad de la descarga", "scarica i giorni di scadenza",
                             "dagen vervaltijd download", "waznosc pobierania"),
    "parent": ("ubergeordnetes produkt", "eltern", "superior", "principal", "genitore", "hoofd", "hoofdproduct",
               "ascendente", "pai", "element nadrzedny", "nadrzedny", "overordnad"),
    "grouped_products": ("gruppierte produkte", "groupes de produits", "produits groupes", "productos agrupados",
                         "prodotti raggruppati", "gegroepeerde producten", "produtos agrupados", "produkty grupowe",
                         "grupperade produkter"),
    "upsells": ("zusatzverkaufe", "produits suggeres", "montee en gamme", "ventas dirigidas", "up sell",
                "produkty up sell"),
    "cross_sells": ("querverkaufe", "cross sells querverkaufe", "ventes croisees", "ventas cruzadas", "cross sell",
                    "venda cruzada", "produkty cross sell", "korsforsaljning"),
    "external_url": ("externe url", "url externe", "url externa", "url esterna", "zewnetrzny adres url", "extern url"),
    "button_text": ("libelle du bouton", "texte du bouton", "texto del boton", "testo del pulsante", "knop tekst",
                    "knoptekst", "texto do botao", "tekst przycisku", "knapptext"),
    "position": ("posicion", "posizione", "positie", "posicao", "pozycja"),
}  # fmt: skip
ENGLISH = {" ".join(plain_words(name)): name for name in TRANSLATIONS if "?" not in name} | {
    translation: name for name, translations in TRANSLATIONS.items() for translation in translations
}
# Headers of attributes and downloads contain a number, as in "Attribute 1 name". The beginning of a word shows what the
# column holds, such as the name or the value.
NUMBERED = (
    ("attribute", re.compile("attrib|atrib|atryb|eigenschap|egenskap"), {
        "value(s)": ("val", "wert", "waarde", "wartos", "vard"),
        "visible": ("visi", "sichtbar", "zichtba", "widoczn", "synlig"),
        "global": ("glob",),
        "default": ("default", "standa", "defaut", "defecto", "predefin", "padrao", "domysln"),
        "name": ("name", "nom", "naam", "nazwa", "namn"),
    }),
    ("download", re.compile("download|telecharg|descarga|pobran"), {
        "url": ("url", "adres"), "id": ("id",), "name": ("name", "nom", "naam", "nazwa", "namn"),
    }),
)  # fmt: skip
META = re.compile(r"m[eé]ta\s*:\s*(.+)", re.IGNORECASE)
UNIT = re.compile(r"(.*\S)\s+(\([^()]*\))\s*")  # "Gewicht (kg)"


@lru_cache(maxsize=10_000)
def english(name: str) -> str:
    """Returns the normalised English name of a column. A name without a translation is only normalised."""
    if meta := META.fullmatch(name.strip()):
        return f"meta:_{normalised(meta[1]).lstrip('_')}"
    words = plain_words(name)
    if " ".join(words[:3]) == "gtin upc ean":
        return "gtin,_upc,_ean,_or_isbn"
    if numbered := _numbered(words):
        return numbered
    if known := ENGLISH.get(" ".join(words)):
        return known
    if (unit := UNIT.fullmatch(name)) and (known := ENGLISH.get(" ".join(plain_words(unit[1])))):
        return f"{known}_{unit[2].lower()}"
    return normalised(name)


def _numbered(words: tuple[str, ...]) -> str | None:
    """Returns the English name of a header such as "Valeur(s) de l'attribut 1" or "Download 2 URL"."""
    numbers = [word for word in words if word.isdecimal()]
    if len(numbers) != 1:
        return None
    for kind, pattern, parts in NUMBERED:
        if any(map(pattern.search, words)):
            for part, beginnings in parts.items():
                if any(word.startswith(beginnings) for word in words):
                    return f"{kind}_{numbers[0]}_{part}"
    return None
