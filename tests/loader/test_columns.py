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
