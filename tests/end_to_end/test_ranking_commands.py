"""A merchandiser saves, lists and deletes rules and signals at the command line, and tries changes with `what-if`. A
mistake gives one clear error."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from tests.support.judging import judged
from tests.support.processes import windowshop
from tests.support.shop import Shop, product

Environment = Callable[[Database], dict[str, str]]
Run = Callable[..., str]
PIN = ('{"query": "red shoes"}', '{"pin": "s3", "at": 1}')


@pytest.fixture
def run(shop: Shop, environment: Environment) -> Iterator[Run]:
    """Returns a function that runs a command and returns its output, or its error if `code` is not 0."""
    shop.load(*(product(f"s{n}") for n in range(4)))
    shop.encode_all()
    shop.cache("red shoes")
    shop.run("delete from shop.rule")
    env = environment(shop.database)

    def call(*arguments: str, code: int = 0) -> str:
        done = windowshop(*arguments, env=env)
        assert done.returncode == code, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout if code == 0 else " ".join(done.stderr.split())

    yield call
    shop.run("delete from shop.rule")


def first(shop: Shop) -> str:
    with shop.database.connect(Role.ANALYST) as conn:
        return str(conn.scalar(text("select sku from shop.search('red shoes', keyword_weight => 0) where rank = 1")))


def test_a_rule_is_saved_made_live_listed_and_deleted(shop: Shop, run: Run, tmp_path: Path) -> None:
    without = first(shop)
    assert "There is no rule" in run("rule", "list")
    assert "set-live first" in run("rule", "add", "first", *PIN, "--from", "2026-01-01 08:00 Europe/Berlin")
    assert first(shop) == without
    assert "live: first" in run("rule", "set-live", "first")
    assert first(shop) == "s3"
    shown = json.loads(run("rule", "show", "first"))
    assert (shown["status"], shown["action"]) == ("live", {"pin": "s3", "at": 1})
    assert shown["valid_from"].startswith("2026-01-01T07:00")
    assert "red shoes" in run("rule", "list")
    assert "There is no rule" in run("rule", "list", "--catalog", "other")
    file = tmp_path / "rules.jsonl"
    file.write_text(run("rule", "list", "--json"))
    assert "draft: first" in run("rule", "set-draft", "first")
    assert first(shop) == without
    assert "Saved 1 rule." in run("rule", "import", str(file))
    assert first(shop) == "s3"
    assert "Deleted" in run("rule", "delete", "first")
    assert first(shop) == without


def test_a_faulty_rule_or_an_unknown_name_is_refused_with_the_reason_and_changes_nothing(
    shop: Shop, run: Run, tmp_path: Path
) -> None:
    run("rule", "add", "first", *PIN, "--live")
    assert "there is already a rule 'first'" in run("rule", "add", "first", *PIN, code=3)
    assert "CONDITION is not JSON" in run("rule", "add", "a", "red", PIN[1], code=2)
    assert "ACTION is not JSON" in run("rule", "add", "a", PIN[0], "{", code=2)
    assert "there is no product 'x'" in run("rule", "add", "a", PIN[0], '{"pin": "x", "at": 1}', code=3)
    assert "pins a product at place 1" in run("rule", "add", "a", PIN[0], '{"pin": "s1", "at": 1}', "--live", code=3)
    assert "invalid input syntax" in run("rule", "add", "a", *PIN, "--from", "soon", code=3)
    for command in ("show", "set-live", "set-draft", "delete"):
        assert 'there is no rule "b"' in run("rule", command, *["first"] * (command != "show"), "b", code=2)
    good = {"name": "first", "condition": {"always": True}, "action": {"banner": "Sale"}}
    for line, message in (
        ("[]", "line 2: there is no field ''"),
        ('{"name": "x"}', "line 2: condition is missing"),
        ('{"nam": "x"}', "line 2: there is no field 'nam'"),
        (json.dumps({**good, "name": "x", "action": {"fly": 1}}), "the action needs exactly one of"),
    ):
        file = tmp_path / "rules.jsonl"
        file.write_text(f"{json.dumps(good)}\n{line}\n")
        assert message in run("rule", "import", str(file), code=3 if "fly" in line else 2)
    assert run("rule", "list", "--json").count("\n") == 1
    assert first(shop) == "s3"


def test_a_signal_is_added_weighted_listed_and_dropped(shop: Shop, run: Run) -> None:
    shop.run(
        "create schema erp; create view erp.margin as "
        "select product_id, case sku when 's2' then 9 else 1 end as value from shop.product"
    )
    try:
        shop.run("grant usage on schema erp to shop_app")
        assert "may not read erp.margin" in run("signal", "add", "margin", "erp.margin", code=3)
        shop.run("grant select on erp.margin to shop_app")
        assert "set-weight margin" in run("signal", "add", "margin", "erp.margin")
        assert "already a signal" in run("signal", "add", "margin", "erp.margin", code=3)
        assert "no view or table" in run("signal", "add", "more", "erp.more", code=3)
        assert "weight 10" in run("signal", "set-weight", "margin", "10")
        assert first(shop) == "s2"
        assert "weight -10" in run("signal", "set-weight", "margin", "-10")
        assert first(shop) != "s2"
        run("signal", "set-weight", "margin", "11", code=2)
        assert 'there is no signal "x"' in run("signal", "set-weight", "x", "1", code=2)
        assert "1 other signal." in run("signal", "refresh")
        assert "erp.margin" in run("signal", "list")
        assert "Removed" in run("signal", "drop", "margin")
        assert "there is no signal 'margin'" in run("signal", "drop", "margin", code=3)
        assert "built-in" in run("signal", "drop", "stock", code=3)
    finally:
        shop.run("delete from shop.signal where defined_by is not null; drop schema erp cascade")


def test_what_if_shows_the_changed_pages_and_changes_nothing(shop: Shop, run: Run, tmp_path: Path) -> None:
    judged(shop, ("red shoes", "s3", 3))
    without = first(shop)
    rule = {"rule": {"name": "first", "condition": json.loads(PIN[0]), "action": json.loads(PIN[1])}}
    shown = run("what-if", json.dumps(rule))
    assert "1 of 1 queries would get a different first page." in shown
    assert "-> 1.000" in shown
    assert "red shoes" in shown
    file = tmp_path / "changes.json"
    file.write_text(json.dumps([rule]))
    answer = json.loads(run("what-if", "--file", str(file), "--json", "-k", "3"))
    assert (answer["queries"], answer["judged"], answer["changed"]) == (1, 1, 1)
    [page] = answer["pages"]
    assert (page["query"], page["before"][0], page["after"][0]) == ("red shoes", without, "s3")
    assert answer["quality"]["ndcg_after"] == page["quality"]["ndcg_after"] == 1
    assert first(shop) == without
    assert "There is no rule" in run("rule", "list")
    assert "there is no change" in run("what-if", code=2)
    assert "is not accepted" in run("what-if", "{", code=2)
    assert "change 1: it must be an object with exactly one of" in run("what-if", '{"x": 1}', code=3)
    assert "suite 'other' has no judgements" in run("what-if", json.dumps(rule), "--suite", "other", code=3)
