# ruff: noqa: RUF001  titles and queries contain letters of other scripts
"""A search finds a word in each of its spellings.

The words include accented words, codes, joined words, stop words, compounds and words of scripts without blanks.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, text

from db.lifecycle.serving import serve_model
from db.roles import Role
from db.settings import Settings
from migrations.model_revisions import add_model
from migrations.upgrade import upgrade
from tests.support.databases import Databases

if TYPE_CHECKING:
    from db.catalog.product import Product
    from tests.support.shop import Shop

SAMPLE = Path(__file__).parents[3] / "loader" / "sample" / "products.csv"
TITLES = {
    "drill": ("ABC-123", "Cordless drill"),
    "headphones": ("XJ900-BK/2", "Headphones XJ900 black"),
    "hinge": ("NOR.0707-60", "Cabinet hinge"),
    "glasses": ("9290810-1", "Reading glasses"),
    "hook": ("16-07", "Wall hook"),
    "white": ("TS1", "Men's T-shirt white"),
    "boys": ("TS2", "Tshirt for boys"),
    "spaced": ("TS3", "Cotton T shirt navy"),
    "router": ("HY1", "Wi-Fi router AC1200"),
    "stick": ("HY2", "Wifi stick"),
    "bolt": ("U1", "Hex bolt 10 mm stainless"),
    "zinc": ("U2", "Hex bolt 10mm zinc"),
    "cable": ("U3", "Cable 1.5m white"),
    "bottle": ("U4", "Carafe 1,5 l"),
    "tyre": ("U8", "Tyre 205/55 R16"),
    "jeans": ("U9", "Jeans W32 L34"),
    "sneaker": ("EM4", "Sneaker size 42.5"),
    "charger": ("N5", "PS5 controller charger"),
    "torch": ("AC1", "Crème brûlée torch"),
    "party": ("AC3", "Piñata for party"),
    "ice": ("AC6", "Häagen ice cup"),
    "plate": ("AC7", "Smørrebrød plate"),
    "poster": ("AC8", "Łódź poster"),
    "sign": ("AC9", "Café sign"),
    "shampoo": ("AP2", "L'Oréal shampoo"),
    "tree": ("RU1", "Ёлка искусственная"),
    "shoe": ("AR2", "الحِذاءُ الرياضي"),
    "necklace": ("TR3", "ışıklı kolye"),
    "istanbul": ("TR2", "İstanbul posteri"),
    "watch": ("VN1", "Đồng hồ nữ"),
    "soft": ("SH1", "Dampf\u00adreiniger Pro"),
    "width": ("FW1", "ｉＰｈｏｎｅ　ケース"),
    "leather": ("CJ1", "黑色皮革背包"),
    "boots": ("CJ2", "防水ハイキングブーツ"),
    "band": ("W1", "The Who vinyl record"),
    "novel": ("W2", "IT a novel"),
    "phone": ("W3", "AT&T phone"),
    "freezer": ("M1", "Freezer -18 degrees"),
    "galaxy": ("SM-G991B", "Galaxy case"),
    "processor": ("I7", "Processor i7-12700K"),
    "ebike": ("EB", "E-Bike pedal"),
    "bank": ("PB", "Power bank 20,000 mAh"),
    "cover": ("CC", "iPhone手机壳"),
    "thai": ("TH", "กระเป๋าหนังสีดำ"),
    "korean": ("KO", "여성가죽가방"),
    "greek": ("GR", "Καφές ελληνικός"),
    "arabic": ("AR1", "قهوة أحمر"),
    "skoda": ("CZ", "Škoda Ångström œuvre"),
    "jeans501": ("LV", "Levi’s jeans"),
    "store": ("HM", "H&M voucher"),
    "book": ("BK", "Book 978-3-16-148410-0"),
}
SPELLINGS = [
    ("ABC-123", "drill"), ("ABC123", "drill"), ("ABC 123", "drill"), ("abc/123", "drill"), ("123", "drill"),
    ("XJ 900", "headphones"), ("xj900", "headphones"), ("NOR.0707", "hinge"), ("0707-60", "hinge"),
    ("NOR0707", "hinge"), ("92908101", "glasses"), ("1607", "hook"), ("WH1000XM5", "gtin"),
    ("12345678905", "gtin"), ("0012345678905", "gtin"), ("885-0042-1", "spare"), ("88500421", "spare"),
    ("t-shirt boys", "boys"), ("tshirt white", "white"), ("t shirt boys", "boys"), ("tshirt navy", "spaced"),
    ("t-shirt navy", "spaced"), ("wifi router", "router"), ("wi-fi stick", "stick"), ("wi fi stick", "stick"),
    ("10mm stainless", "bolt"), ("10 mm zinc", "zinc"), ("1,5m", "cable"), ("1.5 m", "cable"), ("1.5 l", "bottle"),
    ("1,5l", "bottle"), ("205/55R16", "tyre"), ("205/55 r16", "tyre"), ("W32/L34", "jeans"), ("42,5", "sneaker"),
    ("ps 5", "charger"), ("PS-5", "charger"), ("creme brulee", "torch"), ("CRÈME", "torch"), ("pinata", "party"),
    ("haagen", "ice"), ("smorrebrod", "plate"), ("lodz", "poster"), ("cafe", "sign"), ("CAFÉ", "sign"),
    ("loreal", "shampoo"), ("l'oreal", "shampoo"), ("l’oréal", "shampoo"), ("елка", "tree"), ("حذاء", "shoe"),
    ("IŞIKLI", "necklace"), ("isikli", "necklace"), ("istanbul", "istanbul"), ("dong ho", "watch"),
    ("dampfreiniger", "soft"), ("iphone", "width"), ("ｃａｆｅ", "sign"), ("ca\u200bfe", "sign"), ("背包", "leather"),
    ("皮革", "leather"), ("黑色 背包", "leather"), ("包", "leather"), ("防水", "boots"), ("ブーツ", "boots"),
    ("the who", "band"), ("it", "novel"), ("at&t", "phone"), ("freezer 18", "freezer"), ("-18", "freezer"),
    ("smg991b", "galaxy"), ("SM G991B", "galaxy"), ("g991b", "galaxy"), ("12700k", "processor"),
    ("i7 12700K", "processor"), ("i712700k", "processor"), ("ebike", "ebike"), ("e bike", "ebike"),
    ("20000mah", "bank"), ("20,000 mah", "bank"), ("20 000 mah", "bank"), ("手机", "cover"), ("iphone", "cover"),
    ("กระเป๋า", "thai"), ("가방", "korean"), ("καφες", "greek"), ("قهوه", "arabic"), ("احمر", "arabic"),
    ("skoda", "skoda"), ("angstrom", "skoda"), ("oeuvre", "skoda"), ("cafe\u0301", "sign"), ("levis", "jeans501"),
    ("levi's", "jeans501"), ("hm voucher", "store"), ("h & m voucher", "store"), ("9783161484100", "book"),
    ("978 3 16 148410 0", "book"), ("0012345 678905", "gtin"),
]  # fmt: skip


BY_WORDS = "image_weight => 0, title_weight => 0"
COMPOUNDS = [
    ("tasche", "G2"), ("Tasche", "G2"), ("jacke", "G7"), ("schuhe", "G1"), ("buch", "G8"), ("Bücher", "G8"),
    ("buecher", "G8"), ("handtasche", "G2"), ("leder tasche", "G2"), ("lampe", "G9"), ("strasse schuhe", "G1"),
]  # fmt: skip
GERMAN = {
    "G1": "Straßenschuhe schwarz",
    "G2": "Handtasche Leder",
    "G3": "Kaffeetasse blau",
    "G4": "Grüner Tee 100 g",
    "G7": "Regenjacke für Mädchen",
    "G8": "Kinderbücher ab 3",
    "G9": "Schreibtischlampe",
    "G10": "Tasse weiß",
    "G11": "Ring Silber",
    "G12": "Hering in Tomate",
    "G13": "Ohrringe Gold",
    "G14": "Uhr aus Holz",
    "G15": "Kuckucksuhrwerk",
    "G16": "Hut aus Stroh",
    "G17": "Schutzhutze Blech",
    "G18": "Eis Vanille",
    "G19": "Reis Basmati",
    "G20": "Bein Prothese",
    "G21": "Elfenbeinfarbe",
}
GERMAN_WRONG_PAIRS = [
    ("tee", "G4", "G3"), ("tasse", "G10", "G3"), ("ring", "G11", "G12"), ("ring", "G11", "G13"), ("uhr", "G14", "G15"),
    ("hut", "G16", "G17"), ("eis", "G18", "G19"), ("bein", "G20", "G21"), ("ringe", "G11", "G12"), ("grün", "G4", "G3"),
]  # fmt: skip
# PAIRS has the titles of the products P1 to P51. Each entry of WRONG_PAIRS and GERMAN_WRONG_PAIRS is a query, the SKU
# of the right product and the SKU of a wrong product.
PAIRS = {
    "P1": "Shirt blue linen", "P2": "Sweatshirt pink", "P3": "Apple juice 1 l", "P4": "Pineapple slicer",
    "P5": "Bolt M8 x 40", "P6": "Bolt M80 washer", "P7": "Cable 15 m", "P8": "Rope 1 mm", "P9": "Rope 10 cm",
    "P10": "Screen 24 inch", "P11": "Screen 2.4 inch", "P12": "Router AC120", "P13": "Socks size 42",
    "P14": "Socks size 425", "P15": "Vase model 707", "P16": "Vase model 7070", "P17": "Resume paper",
    "P18": "Résumé folder", "P19": "Lamp A-19 warm", "P20": "Lamp A19-60 cold", "P21": "Tape 3M clear",
    "P22": "Tape 3 metres", "P23": "Chip ESP32", "P24": "Chip ESP8266", "P25": "Fly fishing rod",
    "P26": "Wireless fidget",
    "P27": "Jeans W34 L32", "P28": "Carpet 205 x 55", "P29": "Toy car C3PO", "P30": "Toy car C3", "P31": "Pen X-1",
    "P32": "Pen X2-1", "P33": "Battery AA", "P34": "Battery AAA", "P35": "Ham radio", "P36": "Hammer steel",
    "P37": "Tea black", "P38": "Team scarf", "P39": "Whole milk", "P40": "Whose line DVD", "P41": "Item rack",
    "P42": "Attic ladder", "P43": "USB-C hub", "P44": "USB A hub", "P45": "Mug 0.5 l", "P46": "Mug 5 l",
    "P47": "Skirt red", "P48": "Spot -12 light", "P49": "Spot 12 light", "P50": "Creme hand", "P51": "Pinata stick",
}  # fmt: skip
WRONG_PAIRS = [
    ("shirt blue", "P1", "P2"), ("apple juice", "P3", "P4"), ("M8 bolt", "P5", "P6"), ("1,5m cable", "U3", "P7"),
    ("1.5 m cable", "U3", "P7"), ("rope 1mm", "P8", "P9"), ("rope 10cm", "P9", "P8"), ("24 inch", "P10", "P11"),
    ("2,4 inch", "P11", "P10"), ("AC1200", "HY1", "P12"), ("size 42,5", "EM4", "P13"), ("size 42,5", "EM4", "P14"),
    ("socks 42", "P13", "P14"), ("vase 707", "P15", "P16"), ("resume paper", "P17", "P18"),
    ("résumé folder", "P18", "P17"),
    ("lamp A19 warm", "P19", "P20"), ("3m tape clear", "P21", "P22"), ("esp32", "P23", "P24"),
    ("esp 8266", "P24", "P23"),
    ("wifi", "HY2", "P26"), ("wi-fi", "HY1", "P26"), ("W32/L34", "U9", "P27"), ("205/55R16", "U8", "P28"),
    ("c3po", "P29", "P30"), ("x-1 pen", "P31", "P32"), ("battery aa", "P33", "P34"), ("battery aaa", "P34", "P33"),
    ("ham", "P35", "P36"), ("tea", "P37", "P38"), ("the who", "W1", "P39"), ("the who", "W1", "P40"),
    ("it", "W2", "P41"),
    ("at&t", "W3", "P42"), ("usb-c hub", "P43", "P44"), ("usbc hub", "P43", "P44"), ("mug 0,5l", "P45", "P46"),
    ("mug 0.5 l", "P45", "P46"), ("t-shirt white", "TS1", "P1"), ("tshirt", "TS2", "P1"), ("t-shirt", "TS1", "P47"),
    ("spot 12", "P49", "P13"), ("ABC-123", "ABC-123", "P49"), ("creme brulee", "AC1", "P50"),
    ("piñata party", "AC3", "P51"),
    ("10 mm bolt", "U1", "P5"), ("10mm bolt", "U2", "P5"), ("ps5", "N5", "P46"), ("l34 jeans w32", "U9", "P27"),
    ("1607", "16-07", "P15"), ("cafe sign", "AC9", "P50"),
]  # fmt: skip


def german_products() -> "list[Product]":
    from tests.support.shop import product

    return [product(sku, title) for sku, title in GERMAN.items()]


def products() -> "list[Product]":
    from tests.support.shop import product

    return [
        *(product(sku, title) for sku, title in TITLES.values()),
        product("GT1", "Gtin product", gtin="0012345678905", mpn="WH-1000XM5"),
        product("SP1", "Chair", description="Needs spare part 885-0042-1, sold apart"),
        *(product(sku, title) for sku, title in PAIRS.items()),
    ]


SKUS = {**{name: sku for name, (sku, _) in TITLES.items()}, "gtin": "GT1", "spare": "SP1"}


def first(conn: Connection, words: str, catalog: str = "main", k: int = 3, more: str = "degrade => true") -> list[str]:
    statement = f"select sku from shop.search(:words, catalog => :catalog, k => :k, {more})"
    return [row.sku for row in conn.execute(text(statement), {"words": words, "catalog": catalog, "k": k})]


def sample_titles() -> list[str]:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [row["title"] for row in csv.DictReader(file)]


def fill(shop: "Shop") -> None:
    """Loads about 1,300 products into the catalog main, and 319 into the catalog berlin. Their vectors are random, so a
    wrong product may be similar to a query by chance."""
    from tests.support.shop import product

    others = [product(f"other-{n}", title) for n, title in enumerate(sample_titles())]
    shop.load(*products(), *others)
    shop.run("insert into shop.catalog (catalog, language) values ('berlin', 'german')")
    shop.load(
        *german_products(), *(product(f"other-{n}", t) for n, t in enumerate(sample_titles()[:300])), into="berlin"
    )
    shop.encode_all()
    for words in {words for words, *_ in (*SPELLINGS, *COMPOUNDS, *WRONG_PAIRS, *GERMAN_WRONG_PAIRS)}:
        shop.cache(words)


@pytest.fixture(scope="module")
def crowd(databases: Databases, toy_template: tuple[str, Path]) -> Iterator["Shop"]:
    from tests.support.shop import Shop

    shop = Shop(databases.copy(toy_template[0]))
    fill(shop)
    yield shop
    shop.close()


@pytest.fixture
def analyst(shop: "Shop") -> Iterator[Connection]:
    with shop.database.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


@pytest.fixture
def reader(crowd: "Shop") -> Iterator[Connection]:
    with crowd.database.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def test_every_spelling_finds_its_product_by_keywords(shop: "Shop", analyst: Connection) -> None:
    shop.load(*products())
    missed = [
        (words, SKUS[name], found)
        for words, name in SPELLINGS
        if SKUS[name] not in (found := first(analyst, words, more=BY_WORDS))
    ]
    assert not missed, missed


def test_every_spelling_finds_its_product_in_a_database_with_locale_c(databases: Databases, settings: Settings) -> None:
    """With LC_CTYPE C, lower() and the text parser know only ASCII letters, so accented capitals stay capitals."""
    from tests.support.shop import TOY, Shop

    template = databases.create("template0", "locale_provider libc locale 'C' encoding 'UTF8'")
    database = databases.open(template)
    upgrade(database, settings)
    add_model(database, settings, TOY)
    serve_model(database, TOY.name)
    shop = Shop(database)
    shop.load(*products())
    shop.run("insert into shop.catalog (catalog, language) values ('berlin', 'german')")
    shop.load(*german_products(), into="berlin")
    with database.connect(Role.ANALYST) as conn:
        missed = [
            (words, SKUS[name]) for words, name in SPELLINGS if SKUS[name] not in first(conn, words, more=BY_WORDS)
        ]
        missed += [(words, sku) for words, sku in COMPOUNDS if sku not in first(conn, words, "berlin", more=BY_WORDS)]
    shop.close()
    assert not missed, missed


def test_every_spelling_finds_its_product_among_the_first_three_of_1300_products(reader: Connection) -> None:
    missed = [
        (words, SKUS[name], found) for words, name in SPELLINGS if SKUS[name] not in (found := first(reader, words))
    ]
    assert not missed, missed


def test_a_part_of_a_german_compound_finds_its_product_among_the_first_three(reader: Connection) -> None:
    missed = [(words, sku, found) for words, sku in COMPOUNDS if sku not in (found := first(reader, words, "berlin"))]
    assert not missed, missed


@pytest.mark.parametrize(("catalog", "pairs"), [("main", WRONG_PAIRS), ("berlin", GERMAN_WRONG_PAIRS)])
def test_the_right_product_ranks_before_a_product_with_a_similar_spelling(
    reader: Connection, catalog: str, pairs: list[tuple[str, str, str]]
) -> None:
    outranked = []
    for words, right, wrong in pairs:
        found = first(reader, words, catalog, k=1000)
        if right not in found or (wrong in found and found.index(wrong) < found.index(right)):
            outranked.append((words, right, wrong, found[:5]))
    assert not outranked, outranked
