"""A load reports the field that each column fills. If the preferred column of a field has no value in the whole file,
the field takes the next suitable column."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from db.catalog.product import RawProduct
from db.engine import Database
from loader.sources import open_source
from tests.support.loading import load_catalog, stored
from tests.support.processes import windowshop

REPOSITORY = Path(__file__).parents[2]
ROWS = [
    {"Product Id": "", "Handle": f"chair-{n}", "Title": "Chair", "Image": "", "Image Link": f"https://a.example/{n}"}
    for n in range(3)
]


def written(suffix: str, folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / f"goods.{suffix}"
    if suffix == "csv":
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        path.write_text("".join(f"{line}\n" for line in lines))
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == "xml":
        items = "".join(
            "<item>"
            + "".join(f"<{n.replace(' ', '_')}>{v}</{n.replace(' ', '_')}>" for n, v in row.items())
            + "</item>"
            for row in rows
        )
        path.write_text(f"<rss><channel>{items}</channel></rss>")
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "xml", "parquet"])
def test_a_column_without_values_is_not_chosen_over_a_column_with_values(suffix: str, tmp_path: Path):
    source = open_source(written(suffix, tmp_path, ROWS))
    rows = [row for row in source.rows() if isinstance(row, RawProduct)]
    assert [row.fields["sku"] for row in rows] == ["chair-0", "chair-1", "chair-2"]
    assert [list(row.images) for row in rows] == [[f"https://a.example/{n}"] for n in range(3)]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "xml", "parquet"])
def test_a_preferred_column_with_a_value_in_the_last_row_is_chosen(suffix: str, tmp_path: Path):
    rows = [*ROWS, {**ROWS[0], "Product Id": "17", "Handle": "chair-3"}]
    source = open_source(written(suffix, tmp_path, rows))
    assert source.columns[next(name for name in source.columns if name.startswith("Product"))] == "sku"


def test_a_file_whose_preferred_columns_have_values_is_not_read_to_its_end_in_advance(tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text("sku,id,title\n" + "1,2,A\n" * 200_000 + '"\n')
    source = open_source(path)
    assert source.done < path.stat().st_size / 2
    assert source.columns == {"sku": "sku", "id": "attributes.id", "title": "title"}


def test_the_summary_lists_the_columns_and_the_empty_fields_and_the_attributes(
    emptied_database: Database, tmp_path: Path
):
    path = tmp_path / "goods.csv"
    path.write_text("Code,Name,Glaze,Note,Cost,Old\n1,A,matt,,3,x\n2,B,,,4,x\n")
    summary = load_catalog(emptied_database, path, mapping={"sku": "Code"}, dry_run=True)
    assert summary.columns == {
        "Code": "sku",
        "Name": "title",
        "Glaze": "attributes.glaze",
        "Note": "attributes.note",
        "Cost": "not loaded: private",
        "Old": "attributes.old",
    }
    assert summary.attributes == {"glaze", "old"}
    assert {"price", "brand"} <= summary.empty_fields and "title" not in summary.empty_fields
    assert stored(emptied_database) == {}


def test_the_load_prints_the_columns_of_the_file_before_the_counts(
    database: Database, environment: Callable[[Database], dict[str, str]], tmp_path: Path
):
    env = {**environment(database), "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"}
    (tmp_path / "goods.csv").write_text("sku,title,price,Old,Weight\n1,Red bag,,,3\n")
    done = windowshop("load", "goods.csv", "--dry-run", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:7] == [
        "column  field",
        "sku     sku",
        "title   title",
        "price   price (no value)",
        "Old     attributes.old (no value)",
        "Weight  attributes.weight",
        "Fields that are empty in every product: description, brand, product_type, price, currency, availability, "
        "gtin, mpn, item_group_id, link, image_link, color, size, material, condition, image",
    ]


def test_the_column_names_of_marketplace_files_are_recognised(tmp_path: Path) -> None:
    path = tmp_path / "inventory.txt"
    path.write_text(
        "seller-sku\titem_name\tbrand_name\tstandard_price\tmain_image_url\n"
        "A-1\tYoga mat\tFlexi\t24.99\thttps://m.example/y.jpg\n"
    )
    [product] = [row for row in open_source(path).rows() if isinstance(row, RawProduct)]
    expected = {"sku": "A-1", "title": "Yoga mat", "brand": "Flexi", "price": "24.99"}
    assert {name: product.fields[name] for name in expected} == expected
    assert list(product.images) == ["https://m.example/y.jpg"]


def only(path: Path, text: str, encoding: str = "utf-8") -> RawProduct:
    path.write_bytes(text.encode(encoding))
    [product] = [row for row in open_source(path, encoding=encoding).rows() if isinstance(row, RawProduct)]
    return product


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Artikelnummer;Bezeichnung;Langtext;Warengruppe;Hersteller;VK brutto;Währung;Lagerbestand;Verfügbarkeit;"
         "EAN-Code;Farbe;Größe;Aktionspreis;Aktion von;Aktion bis;UVP;Bild",
         ("sku", "title", "description", "product_type", "brand", "price", "currency", "quantity", "availability",
          "gtin", "color", "size", "sale_price", "sale_starts_at", "sale_ends_at", "compare_at_price", "image")),
        ("Référence;Désignation;Prix TTC;Prix promo;Devise;Catégorie;Marque;Code-barres;Disponibilité;Couleur;Matière",
         ("sku", "title", "price", "sale_price", "currency", "product_type", "brand", "gtin", "availability", "color",
          "material")),
        ("Código;Nombre;Precio;Moneda;Existencias", ("sku", "title", "price", "currency", "quantity")),
        ("Codice articolo;Nome prodotto;Prezzo;Giacenza;Taglia", ("sku", "title", "price", "quantity", "size")),
        ("Artikelcode;Productnaam;Prijs incl. btw;Voorraad;Merk", ("sku", "title", "price", "quantity", "brand")),
        ("Kod produktu;Nazwa;Cena brutto;Ilość", ("sku", "title", "price", "quantity")),
        ("*Action;CustomLabel;*Title;*StartPrice;*C:Farbe", ("attributes.*action", "sku", "title", "price", "color")),
    ],
)  # fmt: skip
def test_the_names_of_columns_are_known_in_several_languages(header: str, cells: tuple[str, ...], tmp_path: Path):
    path = tmp_path / "goods.csv"
    path.write_text(f"{header}\n{';'.join('x' for _ in cells)}\n")
    assert tuple(open_source(path).columns.values()) == cells


def test_a_translated_name_does_not_replace_a_column_with_values_by_an_empty_column(tmp_path: Path):
    product = only(tmp_path / "goods.csv", "Artikelnummer,Bestellnr.,Titel\n,B-1,Stuhl\n")
    assert product.fields == {"sku": "B-1", "title": "Stuhl"}


def test_images_are_gathered_from_numbered_columns(tmp_path: Path):
    product = only(
        tmp_path / "goods.csv", "sku,title,Bild 2,Image URL,image_3,image_1920\n1,A,b.jpg,a.jpg,c.jpg,iVBOR\n"
    )
    assert list(product.images) == ["a.jpg", "b.jpg", "c.jpg"]
    assert product.attributes == {"image_1920": "iVBOR"}


def test_the_cost_in_a_table_of_odoo_is_neither_the_price_nor_an_attribute(tmp_path: Path):
    product = only(tmp_path / "goods.csv", "id,name,default_code,list_price,standard_price\n1,Desk,F-1,750.00,500.00\n")
    assert product.fields == {"sku": "1", "title": "Desk", "price": "750.00"}
    assert product.attributes == {"default_code": "F-1"}


def test_the_header_may_follow_a_title_line_and_a_line_of_readable_names(tmp_path: Path):
    text = (
        "TemplateType=fptcustom\tVersion=2021\t\nSeller SKU\tProduct Name\tFoto\nitem_sku\titem_name\tmain_image_url\n"
    )
    product = only(tmp_path / "goods.txt", f"{text}B-1\tRucksack grün\thttps://a.example/1.jpg\n", "cp1252")
    assert product.fields == {"sku": "B-1", "title": "Rucksack grün"}
    assert (product.line, list(product.images)) == (4, ["https://a.example/1.jpg"])


def test_the_first_line_that_names_a_sku_and_a_title_is_the_header_and_the_next_is_a_row(tmp_path: Path):
    product = only(tmp_path / "goods.csv", "sku,title\nid,name\n")
    assert product.fields == {"sku": "id", "title": "name"}


@pytest.mark.parametrize(
    ("header", "cells", "fields"),
    [
        ("SKU|NAME|SALEPRICE|PRICE|INSTOCK", "A|Boot|99|120|no", {"sale_price": "99", "availability": "no"}),
        ("product_sku,product_name,product_price,product_brand", "A,Boot,9,Acme", {"price": "9", "brand": "Acme"}),
        ("id,item_name,item_price,item_type,product_ean", "A,Boot,9,Physical,12", {"price": "9"}),
        ("sku;name-en_US-ecommerce;name-de_DE-ecommerce", "A;Boot;Stiefel", {"title": "Boot"}),
        ("sku;name(en-gb);description(en-gb)", "A;Boot;Warm", {"title": "Boot", "description": "Warm"}),
        ("sku;Bezeichnung (DE);url_de;size_de", "A;Stiefel;https://a.example;42", {"link": "https://a.example"}),
        ("sku;title_en;name", "A;Stiefel;Boot", {"title": "Boot"}),
        ("sku;de_title;Artikelname", "A;Boot;Stiefel", {"title": "Stiefel"}),
        ("sku,name,price,promotional price", "A,Boot,9,8", {"sale_price": "8"}),
        ("Interne Nr.;Artikelnummer;Artikelname;Std. VK Brutto;HAN", "1;A;Boot;9;H", {"price": "9", "mpn": "H"}),
    ],
)
def test_longer_and_joined_names_mean_the_usual_names(header: str, cells: str, fields: dict[str, str], tmp_path: Path):
    (tmp_path / "goods.csv").write_text(f"{header}\n{cells}\n")
    [row] = open_source(tmp_path / "goods.csv").rows()
    assert isinstance(row, RawProduct)
    assert {name: row.fields[name] for name in fields} == fields
    assert row.fields["sku"] == "A"
    assert not {"gtin", "product_type", "size"} & row.fields.keys()


def test_the_number_of_an_image_may_precede_its_last_word(tmp_path: Path):
    (tmp_path / "goods.csv").write_text("sku,title,Image 1 URL,Image 2 URL,In Stock?\n1,A,a.jpg,b.jpg,N\n")
    [row] = open_source(tmp_path / "goods.csv").rows()
    assert isinstance(row, RawProduct)
    assert (row.images, row.fields["availability"], row.attributes) == (("a.jpg", "b.jpg"), "N", {})


def test_the_image_of_a_product_precedes_all_its_images(tmp_path: Path):
    (tmp_path / "goods.csv").write_text("sku,title,images,main_image\n1,A,b.jpg;a.jpg,a.jpg\n2,B,c.jpg,\n")
    rows = [row for row in open_source(tmp_path / "goods.csv").rows() if isinstance(row, RawProduct)]
    assert [list(dict.fromkeys(row.images)) for row in rows] == [["a.jpg", "b.jpg"], ["c.jpg"]]


def test_a_row_without_the_preferred_image_takes_the_image_of_another_column(tmp_path: Path):
    (tmp_path / "goods.csv").write_text("sku,title,image_url,thumbnail\n1,A,a.jpg,small.jpg\n2,B,,b.jpg\n")
    first, second = (row for row in open_source(tmp_path / "goods.csv").rows() if isinstance(row, RawProduct))
    assert (first.images, first.attributes) == (("a.jpg",), {"thumbnail": "small.jpg"})
    assert (second.images, second.attributes) == (("b.jpg",), {})


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Option Name 1,Option Value 1,Option Name 2,Option Value 2", "Colour,Red,Size,M"),
        ("option1_name,option1_value,option2_name,option2_value", "Colour,Red,Size,M"),
        ("Variationsname 1,Variationswertname 1,Variationsname 2,Variationswertname 2", "Farbe,Red,Größe,M"),
        ("Attribut 1 Name,Attribut 1 Wert,Attribut 2 Name,Attribut 2 Wert", "Farbe,Red,Größe,M"),
        ("variant_option_one_name,variant_option_one_value,size", "Colour,Red,M"),
    ],
)
def test_the_name_and_the_value_of_an_option_are_one_attribute(header: str, cells: str, tmp_path: Path):
    (tmp_path / "goods.csv").write_text(f"sku,title,{header}\nA,Bag,{cells}\n")
    [row] = open_source(tmp_path / "goods.csv").rows()
    assert isinstance(row, RawProduct)
    assert (row.fields["color"], row.fields["size"]) == ("Red", "M")
    assert row.attributes.get("colour", row.attributes.get("farbe")) == "Red"


def test_an_option_without_name_or_value_keeps_the_name_of_its_column(tmp_path: Path):
    (tmp_path / "goods.csv").write_text(
        "sku,title,option_name_1,option_value_1,option_name_2,option_value_2,brand_name,face_value\n"
        "A,Bag,,Red,Fit,Slim,Acme,5\nB,Bag,Fit,Slim,Fit,Wide,Acme,5\n"
    )
    first, second = (
        row.attributes for row in open_source(tmp_path / "goods.csv").rows() if isinstance(row, RawProduct)
    )
    assert first == {"option_value_1": "Red", "fit": "Slim", "face_value": "5"}
    assert second == {"fit": "Slim", "option_name_2": "Fit", "option_value_2": "Wide", "face_value": "5"}


@pytest.mark.parametrize(
    ("header", "cells", "product_type"),
    [
        ("Kategorie Ebene 2,Kategorie Ebene 1,Kategorie Ebene 3", "Herren,Schuhe,", "Schuhe > Herren"),
        ("Hauptkategorie,Unterkategorie", "Damen,Hemden", "Damen > Hemden"),
        ("category_level_1,category_level_2,type", "Shoes,Boots,simple", "Shoes > Boots"),
        ("main_category,subcategory", "Shoes,Boots", "Shoes > Boots"),
        ("Category 1,Category 2", "Shoes,Sale", "Shoes"),
        ("category,category_level_1", "Boots,Shoes", "Boots"),
        ("category_id_1,category_id_2", "20,27", None),
    ],
)
def test_the_levels_of_a_category_are_the_product_type(
    header: str, cells: str, product_type: str | None, tmp_path: Path
):
    (tmp_path / "goods.csv").write_text(f"sku,title,{header}\nA,Bag,{cells}\n")
    [row] = open_source(tmp_path / "goods.csv").rows()
    assert isinstance(row, RawProduct)
    assert row.fields.get("product_type") == product_type


def test_the_header_of_ebay_gives_the_currency_of_the_prices(tmp_path: Path):
    header = "*Action(SiteID=Germany|Country=DE|Currency=EUR|Version=1193),CustomLabel,*Title,*StartPrice,*Quantity"
    (tmp_path / "goods.csv").write_text(f"{header}\nAdd,A,Hemd,29.90,1\n")
    [row] = open_source(tmp_path / "goods.csv").rows()
    assert isinstance(row, RawProduct)
    assert (row.fields["price"], row.fields["currency"]) == ("29.90", "EUR")


@pytest.mark.parametrize(
    ("content", "fields", "attributes"),
    [
        ("option_1_name,option_1_label,option_1_value\nColour,Colour,Red", {"color": "Red"}, {"colour": "Red"}),
        ("option_name_1,option_value_1\nColour,#N/A", {}, {"option_name_1": "Colour"}),
        ("gemstone_name,gemstone_value\nRuby,500", {}, {"gemstone_name": "Ruby", "gemstone_value": "500"}),
        ("availability,available\npreorder,0", {"availability": "preorder"}, {"available": "0"}),
        ("availability,available\nin stock,0", {"availability": "out_of_stock"}, {"available": "0"}),
        ("stock,out_of_stock\n5,1", {}, {"out_of_stock": "1"}),
        ("stock,sold_out\n5,1", {"availability": "out_of_stock"}, {"sold_out": "1"}),
        ("stock,deleted_at\n5,05.03.2026", {"availability": "out_of_stock"}, {"deleted_at": "05.03.2026"}),
        ("stock,deleted_at\n5,0000-00-00", {"availability": "in_stock"}, {"deleted_at": "0000-00-00"}),
        ("type,category_level_1\nsimple,Clothing", {"product_type": "Clothing"}, {"type": "simple"}),
        ("price,shipping_price_text\n499,4.99 EUR", {"price": "499"}, {"shipping_price_text": "4.99 EUR"}),
        ("type,category_de\nsimple,Taschen", {"product_type": "Taschen"}, {"type": "simple"}),
        ("description_de,short_description\nLang,Kurz", {"description": "Lang"}, {"short_description": "Kurz"}),
    ],
)  # fmt: skip
def test_a_column_keeps_its_meaning_beside_others(
    content: str, fields: dict[str, str], attributes: dict[str, str], tmp_path: Path
) -> None:
    header, cells = content.split("\n")
    (tmp_path / "goods.csv").write_text(f"sku,title,{header}\nA,Bag,{cells}\n")
    [row] = open_source(tmp_path / "goods.csv").rows()
    assert isinstance(row, RawProduct)
    found = {name: cell for name, cell in row.fields.items() if name not in ("sku", "title", "quantity")}
    assert (found, {name: row.attributes.get(name) for name in attributes}) == (fields, attributes)


def test_a_number_of_photos_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "goods.csv").write_text("sku,title,image_url,photos\nA,Bag,https://a/1.jpg,4\n")
    [row] = open_source(tmp_path / "goods.csv").rows()
    assert isinstance(row, RawProduct)
    assert (row.images, row.attributes) == (("https://a/1.jpg",), {"photos": "4"})
