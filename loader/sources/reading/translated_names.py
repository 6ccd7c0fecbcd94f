"""Translates the names of columns that shops write in German, French, Spanish, Italian, Dutch, Portuguese, Polish,
Swedish and Danish."""

from collections.abc import Collection
from functools import lru_cache

from db.catalog.names import normalised, plain_words
from db.catalog.rows.options import COLOR, MATERIAL, SIZE

# English name -> translations, without blanks, accents and punctuation. Names such as "Preis netto" and "Prix HT" are
# not listed, because a price without tax is not the price that a customer pays.
TRANSLATIONS: dict[str, Collection[str]] = {
    "sku": (
        "artikelnummer", "artikelnr", "artnr", "bestellnummer", "bestellnr", "produktnummer", "artikelcode",
        "produktcode", "artikelnummerimshop", "artikelid", "produktid", "reference", "referenceproduit",
        "codearticle", "codeproduit", "refarticle", "referencia", "codigo", "codigoarticulo", "codigoproducto",
        "codigodearticulo", "codigodeproducto", "codicearticolo", "codiceprodotto", "codice", "riferimento",
        "productcode", "referencja", "indeks", "kodproduktu", "codigodoproduto", "codigoproduto",
        "varenummer", "varenr", "ref", "refproduit", "codarticolo", "referentie",
    ),
    "title": (
        "bezeichnung", "artikelbezeichnung", "produktbezeichnung", "artikelname", "produktname", "titel",
        "produkttitel", "artikeltitel", "benennung", "designation", "nom", "nomduproduit", "nomproduit", "libelle",
        "titre", "intitule", "titreduproduit", "nombre", "nombredelproducto", "nombreproducto", "titulo", "nome",
        "nomeprodotto", "nomedelprodotto", "denominazione", "titolo", "naam", "productnaam", "artikelnaam",
        "producttitel", "nomedoproduto", "nomeproduto", "nazwa", "nazwaproduktu", "tytul", "namn", "produktnamn",
        "navn", "produktnavn", "varenavn", "benamning", "denominacion",
        "nombredelarticulo", "nombrearticulo", "nomearticolo", "articlenom", "artikelomschrijving",
    ),
    "description": (
        "beschreibung", "artikelbeschreibung", "produktbeschreibung", "langtext", "langbeschreibung", "artikeltext",
        "descriptif", "descriptionlongue", "descriptionproduit", "descripcion", "descripcionlarga",
        "descripciondelproducto", "descrizione", "descrizionelunga", "descrizioneprodotto", "omschrijving",
        "productomschrijving", "beschrijving", "descricao", "opis", "opisproduktu", "beskrivning", "beskrivelse",
    ),
    "short_description": (
        "kurzbeschreibung", "kurztext", "descriptioncourte", "resume", "descripcioncorta", "descrizionebreve",
        "korteomschrijving", "descricaocurta", "krotkiopis",
    ),
    "brand": ("marke", "markenname", "marque", "marca", "marchio", "merk", "merknaam", "marka", "varumarke"),
    "manufacturer": (
        "hersteller", "herstellername", "herstellermarkenname", "fabricant", "fabricante", "produttore", "fabrikant",
        "producent", "tillverkare", "producenten",
    ),
    "product_type": ("produkttyp", "produktart", "typedeproduit", "tipodeproducto", "tipodiprodotto", "producttype"),
    "category": (
        "kategorie", "kategorien", "warengruppe", "artikelgruppe", "produktgruppe", "produktkategorie", "rubrik",
        "kategoriepfad", "produktgruppeimshop", "categorie", "rayon", "famille", "categoria", "categoriasdeproducto",
        "categorias", "familia", "categorieproduit", "productcategorie", "kategoria", "kategori",
    ),
    "price": (
        "preis", "bruttopreis", "preisbrutto", "verkaufspreis", "vk", "vkbrutto", "vkpreis", "bruttovk",
        "vkpreisbrutto", "verkaufspreisbrutto", "preisinklmwst", "preisinklust", "endpreis", "einzelpreis",
        "stuckpreis", "prix",
        "prixttc", "prixdevente", "prixdeventettc", "prixventettc", "prixunitaire", "pvttc", "precio", "precioventa",
        "preciodeventa", "precioconiva", "pvp", "prezzo", "prezzodivendita", "prezzovendita", "prezzoivato",
        "prezzoconiva", "prijs", "verkoopprijs", "prijsinclbtw", "preco", "precodevenda", "cena", "cenabrutto",
        "cenasprzedazy", "pris", "prisinklmoms", "stdvkbrutto", "precioventapublico", "preciodeventaalpublico",
        "prezzoalpubblico", "verkoopprijsinclbtw",
    ),
    "our_price": (
        "unserpreis", "ihrpreis", "shoppreis", "onlinepreis", "webpreis", "notreprix", "votreprix", "nuestroprecio",
        "tuprecio", "nostroprezzo", "tuoprezzo", "onzeprijs", "uwprijs", "nossopreco", "naszacena", "vartpris",
        "vorespris",
    ),
    "currency": (
        "wahrung", "waehrung", "wahrungscode", "devise", "monnaie", "moneda", "divisa", "valuta", "moeda", "waluta",
    ),
    "availability": (
        "verfugbar", "verfuegbar", "istverfugbar", "verfugbarkeit", "verfuegbarkeit",
        "lieferbarkeit", "lieferstatus", "lagerstatus", "lieferbar", "disponibilite",
        "disponibilidad", "disponibilita", "beschikbaarheid", "disponibilidade", "dostepnosc",
        "tillganglighet",
    ),
    "gtin": (
        "eangtin", "gtinean", "eancode", "eannummer", "strichcode", "barcodeean", "codebarres", "codebarre",
        "codebarresean", "codeean", "codigodebarras", "codigoean", "codiceabarre", "codicebarre", "codiceean",
        "codeean13", "streepjescode", "kodkreskowy", "kodean", "streckkod", "eangtinbarcodenummerupc",
    ),
    "mpn": (
        "herstellernummer", "herstellerartikelnummer", "hanmpn", "han", "originalherstellerartikelnummerhanmpn",
        "referencefabricant", "referenciafabricante", "codiceproduttore", "fabrikantcode", "kodproducenta",
    ),
    "link": (
        "produkturl", "produktlink", "artikelurl", "deeplinkprodukturl", "lien", "lienproduit", "urlproduit", "enlace",
        "urldelproducto", "urlprodotto", "producturl",
    ),
    "image": (
        "bild", "bilder", "bildurl", "bildurls", "bildlink", "bilddatei", "produktbild", "hauptbild", "artikelbild",
        "foto", "fotos", "imageprincipale", "photoprincipale", "photos", "urlimage", "urldelimage", "lienimage",
        "imagen", "imagenes", "imagenprincipal", "urlimagen", "enlaceimagen", "immagine", "immagini",
        "immagineprincipale", "urlimmagine", "afbeelding", "afbeeldingen", "afbeeldingurl", "afbeeldinglink", "imagem",
        "imagens", "zdjecie", "zdjecia", "urlzdjecia", "billede", "billeder", "bildpfad",
    ),
    "additional_image": (
        "weiterebilder", "zusatzbilder", "zusatzlichebilder", "bildergalerie", "autresphotos", "autresimages",
        "imagessupplementaires", "otrasimagenes", "imagenesadicionales", "altreimmagini", "immaginiaggiuntive",
        "extraafbeeldingen",
    ),
    "tags": ("schlagworte", "schlagworter", "suchbegriffe", "stichworter", "motscles", "etiquetas", "parolechiave"),
    "sale_price": (
        "aktionspreis", "angebotspreis", "sonderpreis", "rabattpreis", "prixpromo", "prixpromotionnel", "prixsolde",
        "prixreduit", "prixremise", "preciodeoferta", "preciooferta", "preciorebajado", "prezzoscontato",
        "prezzoofferta", "prezzopromozionale", "prezzopromo", "actieprijs", "aanbiedingsprijs", "precopromocional",
        "cenapromocyjna", "reapris", "tilbudspris",
    ),
    "sale_from": ("aktionvon", "angebotvon", "aktionspreisvon", "debutpromo", "debutpromotion", "iniciooferta",
                  "inizioofferta", "iniziopromo"),
    "sale_to": ("aktionbis", "angebotbis", "aktionspreisbis", "finpromo", "finpromotion", "finoferta", "fineofferta",
                "finepromo"),
    "msrp": (
        "uvp", "uvpbrutto", "listenpreis", "streichpreis", "statt", "stattpreis", "altpreis", "prixbarre", "prixpublic",
        "prixconseille", "preciorecomendado", "precioanterior", "prezzodilistino", "prezzolistino", "adviesprijs",
        "cenakatalogowa", "prixbarrettc", "vanprijs", "prezzopieno",
    ),
    "quantity": (
        "menge", "bestand", "lagerbestand", "lagermenge", "anzahl", "quantite", "quantiteenstock", "cantidad",
        "existencias", "quantita", "giacenza", "voorraad", "aantal", "quantidade", "estoque", "ilosc",
        "stanmagazynowy", "lagersaldo", "antal", "lager", "stockdisponible", "lagerbestandgesamt", "verfugbarerbestand",
    ),
    "condition": ("zustand", "artikelzustand", "etatduproduit", "condicion", "condizione", "conditie", "condicao"),
    "color": COLOR,
    "size": SIZE,
    "material": MATERIAL,
}  # fmt: skip
_ENGLISH = {"".join(plain_words(name)): english for english, names in reversed(TRANSLATIONS.items()) for name in names}


@lru_cache(maxsize=10_000)
def english(name: str) -> str:
    """Returns the English name of a column that has one of TRANSLATIONS, or otherwise its normalised name."""
    return _ENGLISH.get("".join(plain_words(name)), normalised(name))
