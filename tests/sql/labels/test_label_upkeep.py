"""A label is a frequent value of a field. The labelled vectors are copies of the vectors of products with labels. They
are updated when a vector or the label of a product changes, for every model that has labels. A search uses the labels
of its filter or its catalog. Fields and values that cannot be labels are refused."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import Database
from db.errors import DatabaseError, SettingsError
from db.lifecycle import deferred_indexes, label_indexes
from db.lifecycle.indexes import every_index
from db.roles import Role
from db.settings import Settings
from migrations.label_indexes import add_labels, carry_labels, drop_labels
from migrations.retire import retire_model
from migrations.upgrade import downgrade, drift, upgrade
from tests.sql.labels.conftest import STORED
from tests.support.databases import Databases
from tests.support.shop import WIDE, Shop, Worker, product, unit_vectors


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
    """If the change did not wait, the vector would keep the old label."""
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


def test_a_new_model_gets_the_labels_of_the_serving_model(small: Shop, settings: Settings) -> None:
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


@pytest.fixture(scope="module")
def catalog_label(
    databases: Databases, small_template: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """Yields a shop that the tests only read. Its model also has a label of the catalog main."""
    name, home = small_template
    shop = Shop(databases.copy(name))
    copy = tmp_path_factory.mktemp("catalog-label") / "home"
    shutil.copytree(home, copy)
    add_labels(shop.database, Settings(home=copy), "catalog", min_rows=1)
    deferred_indexes.build(shop.database)
    yield shop
    shop.close()


def revisions(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.home / "revisions").glob("*.py"))


def test_a_long_value_is_refused(small: Shop, settings: Settings) -> None:
    small.load(product("a", attributes={"care": "é" * 201, "note": "é" * 200}))
    before = revisions(settings)
    with pytest.raises(SettingsError, match=r"1 of the frequent values of attributes.care have more than 200 "):
        add_labels(small.database, settings, "attributes.care", min_rows=1)
    assert revisions(settings) == before
    assert add_labels(small.database, settings, "attributes.note", min_rows=1).values == ["é" * 200]
    upgrade(small.database, settings)


def test_labels_that_cannot_be_added_leave_no_revision(small: Shop, settings: Settings) -> None:
    small.run("create view shop.wide_image_label as select 1")
    before = revisions(settings)
    with pytest.raises(DatabaseError, match="wide_image_label"):
        add_labels(small.database, settings, "product_type", min_rows=1, model="wide")
    assert revisions(settings) == before
    small.run("drop view shop.wide_image_label")
    upgrade(small.database, settings)
    assert len(add_labels(small.database, settings, "product_type", min_rows=1, model="wide").values) == 3


def test_a_model_has_a_limited_number_of_labels(
    small: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_indexes, "MOST", 5)
    small.load(*(product(sku, product_type="bags", color=sku) for sku in "abcx"))
    added = add_labels(small.database, settings, "color", min_rows=1)
    assert (added.values, added.left_out) == (["a", "b"], ["c", "x"])
    added = add_labels(small.database, settings, "color", min_rows=1)
    assert (added.values, added.left_out) == ([], ["c", "x"])


def test_a_color_and_the_top_of_a_path_can_be_labels(small: Shop, settings: Settings) -> None:
    kinds = ("Apparel > Shoes", "apparel>Bags", "Apparel", "Home > Lamps", None)
    for sku, kind in zip("abcde", kinds, strict=True):
        small.load(product(sku, product_type=kind, color="red" if sku < "c" else None))
    small.encode_all()
    drop_labels(small.database, settings, "product_type")
    assert add_labels(small.database, settings, "top:product_type", min_rows=1).values == ["apparel", "home"]
    assert add_labels(small.database, settings, "color", min_rows=1).values == ["red"]
    deferred_indexes.build(small.database)
    of = [("a", "apparel"), ("a", "red"), ("b", "apparel"), ("b", "red"), ("c", "apparel"), ("d", "home")]
    assert [row[:2] for row in stored(small)] == of
    small.run("update shop.product set color = null where sku = 'a'")
    small.run("update shop.product set color = 'red' where sku = 'd'")
    assert [row[:2] for row in stored(small)] == [of[0], *of[2:], ("d", "red")]


@pytest.mark.parametrize(
    ("filter_", "tops"),
    [
        ({"product_type": "Apparel > Shoes"}, ["apparel"]),
        ({"product_type": ["Apparel > Shoes", "Apparel", "HOME>Lamps"]}, ["apparel", "home"]),
        ({"product_type": {"prefix": "apparel > sh"}}, ["apparel"]),
        ({"product_type": {"prefix": "Apparel >"}}, ["apparel"]),
        ({"and": [{"product_type": {"prefix": "Apparel >"}}]}, ["apparel"]),
        ({"product_type": {"prefix": "Apparel"}}, None),
        ({"product_type": {"prefix": " > Shoes"}}, None),
        ({"product_type": {"contains": "Apparel > "}}, None),
        ({"product_type": ["Apparel", None]}, None),
        ({"or": [{"product_type": "Apparel"}]}, None),
        ({"title": {"prefix": "Apparel > "}}, None),
        ({"product_type": list("abcdef")}, None),
    ],
    ids=str,
)
def test_a_filter_of_a_path_implies_its_top(shop: Shop, filter_: dict[str, object], tops: list[str] | None) -> None:
    found = shop.run(
        "select i.vals from shop_private.implied_labels(cast(:filter as jsonb)) i where i.field = 'top:product_type'",
        filter=json.dumps(filter_),
    )
    assert [sorted(row[0]) for row in found] == ([tops] if tops else [])


@pytest.mark.parametrize(
    ("request_", "condition", "values", "whole"),
    [
        ({"filter": {"product_type": "bags"}}, None, ["bags"], True),
        ({"filter": {"product_type": ["bags", "hats"]}}, None, ["bags", "hats"], True),
        ({"filter": {"and": [{"product_type": ["bags"]}]}}, None, ["bags"], False),
        ({"filter": {"product_type": "bags", "price": {"lt": 9}}}, None, ["bags"], False),
        ({"filter": {"product_type": ["bags", "nothing"]}}, None, None, False),
        ({"catalog": "main"}, "p.catalog = 'main'", ["main"], True),
        (
            {"catalog": "main", "filter": {"price": {"lt": 9}}},
            "p.catalog = 'main' and (p.price < '9')",
            ["main"],
            False,
        ),
        ({"catalog": "other"}, "p.catalog = 'other'", None, False),
        ({"filter": {"product_type": "bags"}, "route": "hnsw"}, None, None, False),
    ],
    ids=str,
)
def test_a_search_uses_the_labels_of_its_filter_or_catalog(
    catalog_label: Shop, request_: dict[str, object], condition: str | None, values: list[str] | None, whole: bool
) -> None:
    found = catalog_label.run(
        "select array(select l.value #>> '{}' from unnest(s.labels) u join shop.label_index l on l.label_id = u "
        "order by 1), s.label_share from (select (shop_private.search_labels(r, coalesce(:condition, "
        "shop_private.search_condition(r)), shop_private.search_settings())).* from jsonb_populate_record("
        "null::shop_private.search_request, cast(:request as jsonb)) r) s",
        request=json.dumps({"catalog": "main", **request_}),
        condition=condition,
    )[0]
    assert found[0] == (values or [])
    assert (found[1] is not None) == whole


def test_the_labels_of_a_product_do_not_depend_on_the_session_of_the_writer(shop: Shop) -> None:
    app = shop.connect(Role.APP)
    app.exec_driver_sql("set standard_conforming_strings = off")
    rows = app.exec_driver_sql(
        "select v.field from jsonb_populate_record(null::shop.product, "
        """'{"attributes": {"No. of straps": 2}}') p, shop_private.label_values(p) v"""
    )
    assert rows.scalars().all() == ["attributes.No\\. of straps"]
