"""The advice names values of fields that should become labels, with HNSW indexes of their own. It counts the filters of
a log, times searches, and leaves out values that are labels already."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Connection, text

from db.errors import SettingsError
from db.lifecycle.label_advice import (
    MOST_FIELDS,
    MOST_LIST,
    Advice,
    Filters,
    advise,
    fields_of,
    implied,
    labels_of,
    read_filters,
)
from db.lifecycle.label_indexes import COLUMNS, field_sql
from windowshop.output.labels import commands, print_advice, read

FILTERS: list[dict[str, Any]] = [
    {"product_type": "bags"},
    {"product_type": {"eq": "bags"}, "price": {"lt": 9}},
    {"brand": ["acme"]},
    {"brand": ["acme", "other", "acme"]},
    {"brand": list("abcdef")},
    {"brand": ["acme", None]},
    {"brand": []},
    {"product_type": ["Bags > Totes", "bags>Backpacks", "bags"]},
    {"product_type": ["Bags > Totes", None]},
    {"product_type": {"in": [f"{top} > {part}" for top in "ab" for part in "cdef"]}},
    {"product_type": {"prefix": "Bags > To"}},
    {"product_type": {"prefix": "Bag"}},
    {"product_type": " > x"},
    {"brand": {"in": ["acme"]}},
    {"brand": {"ne": "acme"}},
    {"product_type": None},
    {"and": [{"attributes.yarn": "wool"}, {"or": [{"brand": "acme"}]}]},
    {"not": {"brand": "acme"}},
    {"attributes.size": {"eq": 3}},
    {},
]


@pytest.mark.parametrize("asked", FILTERS, ids=json.dumps)
def test_python_and_sql_agree_on_the_values_that_a_filter_implies(conn: Connection, asked: dict[str, Any]) -> None:
    rows = conn.execute(
        text("select field, vals from shop_private.implied_labels(cast(:asked as jsonb)) where field <> 'price'"),
        {"asked": json.dumps(asked)},
    )
    assert {name: sorted(values, key=str) for name, values in implied(asked).items()} == {
        row.field: sorted(row.vals, key=str) for row in rows
    }


def test_the_log_has_only_fields_and_values_that_can_be_labels() -> None:
    asked = {"title": {"contains": "secret"}, "price": {"lt": 9}, "brand": "acme", "product_type": "x" * 400}
    assert labels_of(json.dumps(asked), None) == {"catalog": ["main"], "brand": ["acme"]}
    assert labels_of(None, "acme") == {"catalog": ["acme"]}
    many = labels_of(json.dumps({f"attributes.{number}": "x" for number in range(1000)}), None)
    assert len(many) == MOST_FIELDS and "catalog" in many
    assert implied({"brand": ["acme"] * (MOST_LIST + 1), "color": ["red"] * MOST_LIST}) == {"color": ["red"]}


def test_the_searches_and_the_unreadable_lines_of_a_log_are_counted() -> None:
    lines = [
        '{"process": "web", "event": "request", "labels": {"catalog": ["main"], "brand": ["acme"]}}',
        '{"process": "web", "event": "request"}',
        '{"filter": {"brand": "acme"}}',
        '{"brand": "acme"}',
        "no JSON",
        "[1]",
        "[" * 100_000,
        "",
    ]
    filters = read_filters(lines)
    assert (filters.searches, filters.skipped) == (3, 3)
    assert filters.values == {("catalog", '"main"'): 1, ("brand", '"acme"'): 3}


def test_names_and_values_that_no_label_can_have_give_no_advice(tmp_path: Path, conn: Connection) -> None:
    log = tmp_path / "web.log"
    log.write_text(
        "\n".join(
            (
                '{"filter": {"brand": "' + "x" * 3_000_000 + '"}}',
                '{"attributes.\\u001b[31m": 1, "attributes.a\\u0000": 1, "attributes.\\ud800": 1, "brand": "a"}',
                '{"labels": {"brand": [["a"]], "product_type": "' + "x" * 400 + '"}}',
                '{"brand": "a"}',
            )
        )
    )
    filters = read([log])
    assert (filters.searches, filters.skipped) == (3, 1)
    assert fields_of(filters) == [*COLUMNS]
    assert filters.values["brand", '"a"'] == 2 and len(filters.values) == 4
    assert advise(conn, "toy", filters, fields_of(filters)) == []


@pytest.mark.parametrize("field", ["attributes.a\0", "attributes.\ud800", "attributes.\x1b[31m"])
def test_a_field_with_control_characters_cannot_be_a_label(field: str) -> None:
    with pytest.raises(SettingsError, match="cannot be a label"):
        field_sql(field)


def test_the_table_shows_a_value_as_it_is_except_control_characters() -> None:
    shown = StringIO()
    one = Advice("brand", "[/b] \x1b[2J", 10, 5000, 0.1, 50.0, 5.0, 10_000, 2**20, 3.0)
    print_advice(Console(file=shown, width=120), Filters(searches=10), [one], logged=True, least=1000)
    assert "brand [/b] \ufffd[2J" in shown.getvalue()
    assert "\x1b" not in shown.getvalue()


def test_without_advice_the_text_has_the_number_of_products_that_a_value_needs() -> None:
    shown = StringIO()
    print_advice(Console(file=shown, width=120), Filters(searches=10), [], logged=True, least=2500)
    assert "No further value has 2,500 products or more." in shown.getvalue()


def test_files_that_cannot_be_read_or_have_no_search_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.log cannot be read: No such file"):
        read([tmp_path / "missing.log"])
    (tmp_path / "empty.log").write_text("nothing\n")
    with pytest.raises(SettingsError, match=r"no line of .*empty\.log is a search"):
        read([tmp_path / "empty.log"])


def test_the_advice_leaves_out_labels_and_values_of_too_few_or_too_many_products(conn: Connection) -> None:
    filters = read_filters(['{"brand": "brand 7"}', '{"product_type": "type 1"}', '{"attributes.weight": 5}'])
    assert fields_of(filters) == [*COLUMNS, "attributes.weight"]
    found = advise(conn, "toy", filters, fields_of(filters))
    assert [(one.field, one.value, one.searches) for one in found] == []


def test_the_advice_states_gain_and_cost_of_a_frequent_value_without_a_label(conn: Connection) -> None:
    conn.exec_driver_sql("set local session_replication_role = replica")
    conn.exec_driver_sql("update shop.product set brand = 'many' where brand in ('brand 1', 'brand 2', 'brand 3')")
    filters = read_filters(['{"brand": "many"}'])
    [one] = advise(conn, "toy", filters, ["brand", "product_type"])
    assert (one.field, one.value, one.searches) == ("brand", "many", 1)
    products = conn.execute(text("select count(*) from shop.product where brand = 'many'")).scalar_one()
    assert (one.products, one.vectors) == (products, 2 * products)
    assert one.share == pytest.approx(products / 20_000)
    assert one.ms_now is not None and one.ms_now > 0 < one.ms_label
    assert one.index_bytes > products * 48 and one.build_seconds > 0


def test_the_advice_gives_the_command_for_values_that_make_searches_faster() -> None:
    far = Advice("attributes.a b", "x", 10, 5000, 0.1, 50.0, 5.0, 10_000, 2**20, 3.0)
    near = Advice("brand", "y", 0, 5000, 0.1, 5.0, 5.0, 10_000, 2**20, 3.0)
    assert commands([far, near], logged=True) == [
        "attributes.a b: 1 labels, 1 MB, 3 s to build; the logged searches would take 0.5 s less",
        "  windowshop index add --label 'attributes.a b' --min-rows 5000",
    ]
    assert commands([near], logged=True) == ["No label would make these searches clearly faster."]
