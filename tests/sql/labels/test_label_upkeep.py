"""The labelled vectors follow the vectors and the labels of the products, for every model that has labels."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import Database
from db.errors import DatabaseError, SettingsError
from db.lifecycle import deferred_indexes
from db.lifecycle.indexes import every_index
from db.roles import Role
from db.settings import Settings
from migrations.label_indexes import add_labels, carry_labels, drop_labels
from migrations.retire import retire_model
from migrations.upgrade import downgrade, drift, upgrade
from tests.support.databases import Databases
from tests.support.shop import WIDE, Shop, Worker, product, unit_vectors

STORED = """
    select p.sku, l.value #>> '{}', v.embedding = i.embedding
    from shop.toy_image_label v join shop.label_index l using (label_id) join shop.product p using (product_id)
    join shop.toy_image i on i.product_id = v.product_id and i.position = v.position order by 1, 2"""


@pytest.fixture(scope="module")
def small_template(databases: Databases, two_model_template: str, public_folder: Path) -> tuple[str, Path]:
    """Returns the name of a database with four products whose model toy has labels of product_type, and its home."""
    home = public_folder / "small-label-home"
    shutil.copytree(public_folder / "two-model-home", home)
    shop = Shop(databases.copy(two_model_template))
    shop.load(*(product(sku, product_type=kind) for sku, kind in (("a", "bags"), ("b", "bags"), ("c", "shoes"))))
    shop.load(product("d", product_type="hats"))
    shop.encode_all()
    add_labels(shop.database, Settings(home=home), "product_type", min_rows=1)
    deferred_indexes.build(shop.database)
    shop.close()
    return str(shop.database.write.database), home


@pytest.fixture
def small(databases: Databases, small_template: tuple[str, Path], settings: Settings) -> Iterator[Shop]:
    name, home = small_template
    shutil.copytree(home, settings.home)
    shop = Shop(databases.copy(name))
    yield shop
    shop.close()


def stored(shop: Shop) -> list[tuple[str, str, bool]]:
    return [tuple(row) for row in shop.run(STORED)]


ALL = [("a", "bags", True), ("b", "bags", True), ("c", "shoes", True), ("d", "hats", True)]


def test_the_vectors_of_existing_products_are_copied(small: Shop) -> None:
    assert stored(small) == ALL
    assert small.value("select count(*) from shop.toy_title_label") == 4
    states = {index.label: index.state for index in every_index(small.connect(None), {}) if index.model == "toy"}
    assert states == {
        None: "valid",
        "product_type = bags": "valid",
        "product_type = hats": "valid",
        "product_type = shoes": "valid",
    }


def test_a_product_with_another_type_moves_to_another_label(small: Shop) -> None:
    small.load(product("a", product_type="shoes"))
    assert stored(small)[0] == ("a", "shoes", True)
    small.run("update shop.product set product_type = null where sku = 'a'")
    assert stored(small) == ALL[1:]
    small.run("update shop.product set product_type = 'bags', price = 3 where sku = 'a'")
    assert stored(small) == ALL


def test_a_new_vector_replaces_the_labelled_vector(small: Shop) -> None:
    small.load(product("a", "another title", product_type="bags"), product("e", product_type="bags"))
    worker = small.worker()
    for part in ("title", "image"):
        items = worker.claim(part)
        worker.complete(items, part, unit_vectors(len(items), seed=9))
    assert stored(small) == [*ALL, ("e", "bags", True)]
    assert small.value(
        "select bool_and(v.embedding = t.embedding) from shop.toy_title_label v "
        "join shop.toy_title t using (product_id)"
    )


def test_a_deleted_product_has_no_labelled_vector(small: Shop) -> None:
    small.run("delete from shop.product where sku in ('a', 'd')")
    assert stored(small) == ALL[1:3]
    small.run("truncate shop.product cascade")
    assert stored(small) == []


def test_a_deleted_image_has_no_labelled_vector(small: Shop) -> None:
    small.run("delete from shop.product_image")
    assert stored(small) == []
    assert small.value("select count(*) from shop.toy_title_label") == 4


def test_a_change_of_the_type_waits_for_a_vector_that_is_being_stored(small: Shop) -> None:
    """Otherwise the vector would keep the old label."""
    small.load(product("e", product_type="bags"))
    worker = small.worker()
    items = worker.claim("image")
    with small.database.connect(Role.ENCODER) as encoder, encoder.begin() as storing:
        Worker(encoder, id=worker.id).complete(items, "image")
        with small.database.connect(None) as other:
            other.exec_driver_sql("set lock_timeout = '100ms'")
            with pytest.raises(DatabaseError, match="lock timeout"):
                other.exec_driver_sql("update shop.product set product_type = 'shoes' where sku = 'e'")
        storing.commit()
    small.run("update shop.product set product_type = 'shoes' where sku = 'e'")
    assert ("e", "shoes", True) in stored(small)


def test_a_next_model_gets_the_labels_of_the_serving_model(small: Shop, settings: Settings) -> None:
    small.encode_all(2, WIDE.dimension)
    [added] = carry_labels(small.database, settings, "wide")
    assert sorted(added.values) == ["bags", "hats", "shoes"]
    deferred_indexes.build(small.database)
    assert small.value("select count(*) from shop.wide_image_label") == 4
    assert carry_labels(small.database, settings, "wide") == []
    small.load(product("a", product_type="shoes"))
    shoes = (
        "select count(*) from shop.wide_image_label join shop.label_index using (label_id) where value = '\"shoes\"'"
    )
    assert small.value(shoes) == 2
    retire_model(small.database, settings, "wide")
    assert small.value("select to_regclass('shop.wide_image_label')") is None
    assert stored(small)[0] == ("a", "shoes", True)


def test_a_downgrade_drops_the_labels_and_an_upgrade_adds_them_again(small: Shop, settings: Settings) -> None:
    small.close()
    downgrade(small.database, settings, "model_wide_index")
    assert small.value("select to_regclass('shop.toy_image_label')") is None
    assert small.value("select count(*) from shop.toy_image") == 4
    upgrade(small.database, settings)
    drift(small.database, settings)
    deferred_indexes.build(small.database)
    assert stored(small) == ALL


def test_an_index_whose_build_was_interrupted_is_built_again(small: Shop, settings: Settings) -> None:
    small.load(*(product(f"x{n}", product_type="belts") for n in range(3)))
    small.encode_all()
    add_labels(small.database, settings, "product_type", min_rows=3)
    number = small.value("select label_id from shop.label_index where value = '\"belts\"'")
    [definition] = small.run(
        "select definition from shop.deferred_index where name = :name", name=f"toy_image_label_{number}"
    )[0]
    small.run(definition)
    small.run(
        "update pg_index set indisvalid = false where indexrelid = to_regclass(:name)",
        name=f"shop.toy_image_label_{number}",
    )
    assert {index.state for index in every_index(small.connect(None), {}) if index.label == "product_type = belts"} == {
        "deferred"
    }
    assert len(deferred_indexes.build(small.database)) == 2
    states = [index.state for index in every_index(small.connect(None), {}) if index.label == "product_type = belts"]
    assert states == ["valid", "valid"]


def test_an_attribute_can_be_a_label(small: Shop, settings: Settings) -> None:
    values = ("x", 5, True, ["x"], None)
    small.load(
        *(product(sku, attributes={"a.b'" + '"""': value}) for sku, value in zip("abcde", values, strict=True)),
    )
    small.encode_all()
    drop_labels(small.database, settings, "product_type")
    field = r"attributes.a\.b'" + '"""'  # the file of the revision quotes the field
    added = add_labels(small.database, settings, field, min_rows=1)
    assert sorted(map(str, added.values)) == ["5", "True", "x"]
    deferred_indexes.build(small.database)
    assert [row[:2] for row in stored(small)] == [("a", "x"), ("b", "5"), ("c", "true")]
    for value, sku in (('"x"', "a"), ("5", "b"), ("true", "c")):
        found = small.run(
            "select l.label_id from shop.label_index l, shop_private.implied_labels(cast(:filter as jsonb)) i "
            "where l.field = i.field and l.value = any(i.vals)",
            filter=f"{{{json.dumps(field)}: {value}}}",
        )
        assert len(found) == 1, (value, sku)
    small.load(product("e", attributes={"a.b'" + '"""': 1}))
    assert add_labels(small.database, settings, field, min_rows=1).values == [1], "1 and true are two labels"


@pytest.mark.parametrize("field", ["price", "title", "attributes.", "attributes.a.b", "nothing"])
def test_a_field_that_cannot_be_a_label_is_refused(database: Database, settings: Settings, field: str) -> None:
    with pytest.raises(SettingsError, match="cannot be a label"):
        add_labels(database, settings, field)


def test_a_role_under_row_level_security_knows_only_the_labels_of_its_products(small: Shop) -> None:
    small.run("create policy mine on shop.product using (product_type = 'bags')")
    small.run("alter table shop.product enable row level security")
    analyst = small.connect(Role.ANALYST)
    assert analyst.scalars(text("select value #>> '{}' from shop.label_index")).all() == ["bags"]
    assert analyst.scalar(text("select count(*) from shop.toy_image_label")) == 2
