"""A judgement grades a product for a query. The good rows of a table of judgements are stored. Each bad row is reported
with the reason of its rejection. If the database refuses a row, nothing is stored."""

from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from loader.errors import MissingColumns, NothingToLoad, RejectsUnwritable, RowsRejected, SourceUnreadable
from loader.judgements import Judged, load_judgements


def load(database: Database, table: str, **options: object) -> Judged:
    Path("judged.csv").write_text(table, encoding="utf-8")
    return load_judgements(database, Path("judged.csv"), **options)  # type: ignore[arg-type]


def stored(
    database: Database, columns: str = "suite, catalog, query, picture_sku, sku, grade"
) -> list[tuple[object, ...]]:
    with database.connect(Role.ANALYST) as conn:
        return [tuple(row) for row in conn.execute(text(f"select {columns} from shop.judgement order by judgement_id"))]


def test_a_table_needs_only_the_columns_query_and_sku(database: Database) -> None:
    done = load(database, "query,sku\nred bag,a\nred bag,b\n")
    assert (done.read, done.added, done.changed, done.unchanged, done.rejected) == (2, 2, 0, 0, 0)
    assert stored(database) == [
        ("default", "main", "red bag", None, "a", 1),
        ("default", "main", "red bag", None, "b", 1),
    ]


def test_columns_are_read_by_name_in_another_order_and_with_another_delimiter(database: Database) -> None:
    load(
        database,
        "\ufeffGrade;SKU;Picture SKU;Suite;Catalog;Query;note\n3;a;;bags;shoes;red bag;\n0;a;b;;;;x\n",
        suite="other",
        catalog="hats",
    )
    assert stored(database) == [("bags", "shoes", "red bag", None, "a", 3), ("other", "hats", None, "b", "a", 0)]


def test_the_bytes_of_a_judged_image_are_stored(database: Database) -> None:
    Path("images").mkdir()
    Image.new("RGB", (8, 8), "red").save("images/a.png")
    load(database, "picture,sku\nimages/a.png,a\nimages/a.png,b\n")
    assert stored(database, "picture, sku") == [
        (Path("images/a.png").read_bytes(), "a"),
        (Path("images/a.png").read_bytes(), "b"),
    ]
    with database.connect(Role.ANALYST) as conn:
        assert conn.scalar(text("select count(distinct query_id) from shop.judgement")) == 1


def test_an_equal_judgement_is_unchanged_and_a_new_grade_replaces_the_old_grade(database: Database) -> None:
    load(database, "query,sku,grade\nbag,a,3\nbag,b,1\n")
    done = load(database, "query,sku,grade\nbag,a,3\nbag,b,2\nbag,c,0\n")
    assert (done.added, done.changed, done.unchanged) == (1, 1, 1)
    assert [row[-2:] for row in stored(database)] == [("a", 3), ("b", 2), ("c", 0)]


WRONG = [
    ("bag,,,,3", "there is no SKU"),
    (",,,a,3", "there is no query, picture or picture_sku"),
    ("bag,x.png,b,a,3", "a query has one picture: give picture or picture_sku"),
    ("bag,,,a,4", 'grade "4" is not 0, 1, 2 or 3'),
    ("bag,,,a,good", 'grade "good" is not 0, 1, 2 or 3'),
    (",missing.png,,a,3", 'image "missing.png" is not a file'),
    (",empty.png,,a,3", 'image "empty.png" is empty'),
    (",../secret.png,,a,3", 'image "../secret.png" leaves the image root'),
    (",/etc/passwd,,a,3", 'image "/etc/passwd" is absolute; give the path below the image root'),
    (",https://shop.example/a.png,,a,3", 'image "https://shop.example/a.png" is an address; give a file'),
    ("bag,,,fine,1", "the same query and product are on line 2 already"),
    (f"{'x' * 10_001},,,a,3", "the query is over 10000 characters"),
    (f"bag,,,{'x' * 201},3", "a SKU has at most 200 characters"),
    ("bag,,,a", "the row has 4 cells, the header 5"),
]


@pytest.mark.parametrize(("row", "reason"), WRONG)
def test_a_bad_row_is_reported_and_the_other_rows_are_stored(database: Database, row: str, reason: str) -> None:
    Path("empty.png").touch()
    done = load(database, f"query,picture,picture_sku,sku,grade\nbag,,,fine,3\n{row}\nshoe,,,fine,3\n")
    assert (done.read, done.added, done.rejected) == (3, 2, 1)
    assert done.first_reject is not None
    assert (done.first_reject.line, done.first_reject.reason) == (3, reason)
    assert reason.split('"')[0] in Path("judged.rejects.csv").read_text()
    with pytest.raises(RowsRejected, match="1 of 3 rows rejected, listed in judged.rejects.csv; the others are loaded"):
        done.raise_if_rejected()


def test_rows_with_invalid_suite_or_catalog_names_are_rejected(database: Database) -> None:
    done = load(database, f"query,sku,suite,catalog\nbag,a,{'x' * 101},\nbag,b,,My Shop\nbag,c,,\n")
    assert (done.added, done.rejected) == (1, 2)


def test_judged_skus_that_are_not_in_the_catalog_are_reported(database: Database) -> None:
    assert load(database, "query,sku\nbag,b\nbag,a\n").unknown == ["a", "b"]


def test_a_table_that_cannot_be_loaded_changes_nothing(database: Database) -> None:
    for header in ("query,grade\nbag,3\n", "sku,grade\na,3\n"):
        with pytest.raises(MissingColumns, match="needs a column sku, and one of query, picture and picture_sku"):
            load(database, header)
    with pytest.raises(NothingToLoad, match="holds no rows"):
        load(database, "query,sku\n")
    with pytest.raises(SourceUnreadable, match="cannot read missing.csv"):
        load_judgements(database, Path("missing.csv"))
    with pytest.raises(RejectsUnwritable, match="is the table itself"):
        load(database, "query,sku\nbag,a\n", rejects=Path("judged.csv"))
    assert stored(database) == []


def test_a_row_that_the_database_refuses_rolls_back_the_whole_load(database: Database) -> None:
    load(database, "query,sku\nbag,a\n")
    with database.connect(None) as conn, conn.begin():
        conn.execute(text("alter table shop.judgement add constraint late check (sku <> 'b')"))
    with pytest.raises(Exception, match="late"):
        load(database, "query,sku\nbag,c\nbag,b\n")
    assert [row[-2] for row in stored(database)] == ["a"]
