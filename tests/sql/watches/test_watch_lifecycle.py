"""Watches keep working after a switch of the model and after a change of the language. A watch has the rights of the
role that created the watch.

A watch with too many matches is disabled. Matches become messages for webhooks.
"""

import json
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from db.lifecycle.serving import serve_model
from db.roles import Role
from tests.support.shop import TOY, WIDE, Shop, product, unit_vectors

HOUSEKEEP = "select shop_private.housekeep(1000)"


def watch(shop: Shop, arguments: str) -> int:
    return int(shop.connect(Role.APP).scalar(text(f"select shop.watch({arguments})")) or 0)


def found(shop: Shop) -> list[tuple[str, str]]:
    rows = shop.run(
        "select w.name, p.sku from shop.watch_match m join shop.watch w using (watch_id) "
        "join shop.product p using (product_id) order by w.name, p.sku"
    )
    return [tuple(row) for row in rows]


def encode(shop: Shop, model_id: int, dimension: int, parts: tuple[str, ...] = ("title", "image")) -> None:
    worker = shop.worker(model_id=model_id)
    for part in parts:
        items = worker.claim(part, 100)  # type: ignore[arg-type]
        worker.complete(items, part, unit_vectors(1, dimension).repeat(len(items), axis=0))  # type: ignore[arg-type]
    worker.release()


def answered(shop: Shop, model_id: int, dimension: int) -> None:
    """Runs an encoder of the model until it has answered the request of a watch."""
    with shop.encoder(model_id, dimension=dimension):
        for _ in range(200):
            shop.run(HOUSEKEEP)
            if shop.value(f"select count(*) from shop_private.watch_vector where model_id = {model_id}"):
                return
    raise AssertionError("the watch has no vector of the model")


def test_a_building_model_encodes_the_watches_before_it_serves(two_models: Shop) -> None:
    two_models.cache("dark")
    watch(two_models, "'dark', 'dark', min_similarity => 0.9")
    assert two_models.value("select array_agg(model_id) from shop_private.watch_vector") == [1]
    answered(two_models, 2, WIDE.dimension)
    two_models.add("a")
    encode(two_models, 2, WIDE.dimension)
    assert found(two_models) == []  # the model does not serve yet
    serve_model(two_models.database, "wide", force=True)
    two_models.run(HOUSEKEEP)
    assert found(two_models) == [("dark", "a")]  # the switch made the product searchable
    encode(two_models, 1, TOY.dimension)
    two_models.add("b")
    encode(two_models, 1, TOY.dimension)
    assert found(two_models) == [("dark", "a")]
    encode(two_models, 2, WIDE.dimension)
    assert found(two_models) == [("dark", "a"), ("dark", "b")]


def test_a_product_waits_for_the_vector_of_a_watch_after_a_switch(two_models: Shop) -> None:
    two_models.cache("dark")
    watch(two_models, "'dark', 'dark', min_similarity => 0.9")
    serve_model(two_models.database, "wide", force=True)
    two_models.add("a")
    encode(two_models, 2, WIDE.dimension)
    assert found(two_models) == []
    answered(two_models, 2, WIDE.dimension)
    two_models.run(HOUSEKEEP)
    assert found(two_models) == [("dark", "a")]
    assert two_models.value("select count(*) from shop_private.watch_note") == 0


def test_a_product_matches_when_its_last_pending_image_is_deleted_or_quarantined(shop: Shop) -> None:
    watch(shop, """'all', filter => '{"sku": {"ne": "x"}}'""")
    shop.add("deleted", "broken", image_count=2)
    worker = shop.worker()
    worker.complete(worker.claim("title"), "title")
    images = {(item.uri, item.position): item for item in worker.claim("image")}
    worker.complete([item for (_, position), item in images.items() if position == 0], "image")
    assert found(shop) == []
    shop.run("delete from shop.product_image where position = 1 and uri like 'deleted%'")
    worker.fail(images["broken-1.jpg", 1], "not an image", "image", final=True)
    shop.run(HOUSEKEEP)
    assert found(shop) == [("all", "broken"), ("all", "deleted")]


def test_a_change_of_the_language_stems_the_words_of_the_watches_again(shop: Shop) -> None:
    shop.load(product("x"))
    shop.cache("rote schuhe")
    shop.run("select shop.set_language('german')")
    watch(shop, "'schuhe', 'rote schuhe', min_similarity => 0.9")
    shop.run("update shop.watch set min_similarity = null")
    shop.connect(Role.APP).execute(text("select shop.set_language('english')"))
    english = shop.value("select words::text from shop.watch")
    shop.connect(Role.APP).execute(text("select shop.set_language('german')"))
    assert (english, shop.value("select words::text from shop.watch")) == ("'rote' & 'schuhe'", "'rot' & 'schuh'")


def test_a_watch_keeps_the_language_of_the_session_that_created_it(shop: Shop) -> None:
    shop.load(product("x"))
    shop.cache("rote schuhe")
    app = shop.connect(Role.APP)
    app.execute(text("set shop.language = 'de'"))
    app.execute(text("select shop.watch('schuhe', 'rote schuhe', min_similarity => 0.9)"))
    app.execute(text("reset shop.language"))
    shop.run("update shop.watch set min_similarity = null")
    for language in ("french", "english"):
        app.execute(text("select shop.set_language(:language)"), {"language": language})
    assert shop.value("select words::text from shop.watch") == "'rot' & 'schuh'"


def test_a_watch_with_too_many_matches_is_disabled(shop: Shop) -> None:
    key = watch(shop, """'all', filter => '{"sku": {"ne": "x"}}'""")
    shop.run(
        "insert into shop.product (product_id, sku, title) select shop.product_id('s' || n, 'main'), 's' || n, 't' "
        "from generate_series(1, 10001) n"
    )
    shop.run(f"insert into shop.watch_match (watch_id, product_id) select {key}, product_id from shop.product")
    shop.run("delete from shop.watch_match where product_id = shop.product_id('s1', 'main')")
    shop.run(f"insert into shop_private.watch_count (watch_id, matches) values ({key}, 10001)")
    shop.run(HOUSEKEEP)
    assert shop.value("select error from shop.watch") is None  # 10,000 of the matches are left
    assert shop.value("select matches from shop_private.watch_count") == 10_000
    shop.add("one", "more")
    shop.run("delete from shop.watch_match where product_id = shop.product_id('s2', 'main')")
    shop.encode_all()
    assert shop.value("select matches from shop_private.watch_count") >= 10_001
    shop.run(f"insert into shop.watch_match (watch_id, product_id) select {key}, product_id from shop.product "
             "on conflict do nothing")  # fmt: skip
    shop.run(HOUSEKEEP)
    assert shop.value("select error from shop.watch") == "more than 10000 products match"
    shop.run("update shop.watch set created_by = 'a role that sees less', disabled_at = null, error = null")
    shop.run(HOUSEKEEP)
    assert shop.value("select error from shop.watch") == "too many products match"


def test_vectors_of_a_building_model_cause_no_matches(two_models: Shop) -> None:
    two_models.add("a")
    encode(two_models, 1, TOY.dimension)
    watch(two_models, """'all', filter => '{"sku": {"ne": "x"}}'""")
    encode(two_models, 2, WIDE.dimension)
    two_models.run(HOUSEKEEP)
    assert found(two_models) == []


def test_a_note_is_compared_only_with_watches_that_are_older_than_the_note(shop: Shop) -> None:
    shop.add("a")
    shop.encode_all()
    watch(shop, """'early', filter => '{"sku": "a"}'""")
    shop.run("insert into shop_private.watch_note (product_id) select product_id from shop.product")
    watch(shop, """'late', filter => '{"sku": "a"}'""")
    shop.run(HOUSEKEEP)
    assert found(shop) == [("early", "a")]
    shop.run("insert into shop_private.watch_note (product_id) select product_id from shop.product")
    shop.run("delete from shop.watch")
    shop.run(HOUSEKEEP)
    assert shop.value("select count(*) from shop_private.watch_note") == 0


def test_a_note_is_compared_although_hundreds_of_other_notes_wait_for_a_vector(shop: Shop) -> None:
    shop.cache("dark")
    watch(shop, "'dark', 'dark', min_similarity => 0.9")
    shop.run("delete from shop_private.watch_vector")
    shop.run("insert into shop.catalog (catalog) values ('berlin')")
    for catalog, count in (("main", 500), ("berlin", 20)):
        shop.run(
            "insert into shop.product (product_id, sku, title, catalog) "
            "select shop.product_id('s' || n, :catalog), 's' || n, 't', :catalog from generate_series(1, :count) n",
            catalog=catalog,
            count=count,
        )
    shop.run(
        "with last as (select max(product_id::text)::uuid as id from shop.product where catalog = 'berlin') "
        "insert into shop_private.watch_note (product_id) select p.product_id from shop.product p, last "
        "where p.product_id = last.id or p.product_id < last.id and p.catalog = 'main'"
    )
    waiting = "select count(*) from shop_private.watch_note join shop.product using (product_id) where catalog = {!r}"
    assert shop.value(waiting.format("main")) > 300 and shop.value(waiting.format("berlin")) == 1
    for _ in range(40):
        shop.run(HOUSEKEEP)
    assert shop.value(waiting.format("berlin")) == 0


def test_the_first_model_that_serves_reports_the_products_that_it_has_encoded(shop: Shop) -> None:
    shop.add("a")
    shop.encode_all()
    shop.add("b")
    shop.run("update shop.model set status = 'building'")
    watch(shop, """'all', filter => '{"sku": {"ne": "x"}}'""")
    serve_model(shop.database, "toy", force=True)
    shop.run(HOUSEKEEP)
    assert found(shop) == [("all", "a")]


def test_a_watch_that_a_model_refuses_to_encode_is_disabled(two_models: Shop) -> None:
    two_models.cache("dark")
    watch(two_models, "'dark', 'dark', min_similarity => 0.9")
    serve_model(two_models.database, "wide", force=True)
    with two_models.encoder(2, answers=False):
        two_models.run(HOUSEKEEP)
        two_models.run("update shop_private.request set error = 'no words'")
        two_models.run(HOUSEKEEP)
    assert two_models.value("select error from shop.watch") == "model wide refuses it: no words"


@pytest.fixture
def tenants(shop: Shop) -> Any:
    """Yields a shop with two tenants. A policy shows each tenant the products of its brand."""
    shop.run("create role tenant_a in role shop_app; create role tenant_b in role shop_app")
    shop.run("create policy brands on shop.product using (brand = current_user) with check (true)")
    shop.run("alter table shop.product enable row level security")
    yield shop
    shop.run("alter table shop.product disable row level security; drop policy brands on shop.product")
    shop.run("drop owned by tenant_a, tenant_b; drop role tenant_a, tenant_b")


def test_a_role_reads_the_matches_of_its_own_watches_among_the_products_that_it_sees(tenants: Shop) -> None:
    tenants.run(
        "insert into shop.product (product_id, sku, title, brand) select shop.product_id(s, 'main'), s, s, "
        "'tenant_' || s from unnest(array['a', 'b']) s"
    )
    url = tenants.database.url(None).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("listen shop_watch")
        conn.execute("set role tenant_a")
        conn.execute("""select shop.watch('mine', filter => '{"sku": {"ne": "x"}}')""")
        conn.execute("set role tenant_b")
        conn.execute("""select shop.watch('other', filter => '{"sku": {"ne": "x"}}')""")
        tenants.encode_all()
        assert tenants.value("select count(*) from shop.watch_match") == 4
        seen = {}
        for role in ("tenant_a", "tenant_b"):
            conn.execute(f"set role {role}")
            seen[role] = conn.execute(
                "select w.name, p.sku from shop.watch w join shop.watch_match m using (watch_id) "
                "join shop.product p using (product_id)"
            ).fetchall()
            assert conn.execute("select count(*) from shop.watch").fetchone() == (1,)
            assert conn.execute("select count(*) from shop.watch_match").fetchone() == (1,)
        assert seen == {"tenant_a": [("mine", "a")], "tenant_b": [("other", "b")]}
        assert conn.execute("select shop.unwatch('mine')").fetchone() == (False,)
        assert (
            list(conn.notifies(timeout=0)) == []
        )  # a notification would tell of products that the listener cannot see


def test_a_match_becomes_a_message_for_each_webhook_of_its_kind_and_catalog(shop: Shop) -> None:
    for name, kinds, catalogs in (("all", "{matched}", None), ("berlin", "{matched}", "{berlin}"),
                                  ("old", "{searchable}", None)):  # fmt: skip
        shop.run(
            "insert into shop_private.webhook (name, url, kinds, catalogs, secret) values "
            "(:name, 'https://hook.example', cast(:kinds as text[]), cast(:catalogs as text[]), 'whsec_')",
            name=name,
            kinds=kinds,
            catalogs=catalogs,
        )
    watch(shop, """'w', filter => '{"sku": {"ne": "x"}}'""")
    shop.add("a", "b")
    shop.encode_all()
    jobs = shop.connect(Role.JOBS)
    assert jobs.scalar(text("select shop_private.webhook_messages(1000, 1000)")) == 2
    rows = shop.run("select w.name, m.body from shop_private.webhook_message m join shop_private.webhook w "
                    "using (webhook_id) order by w.name")  # fmt: skip
    bodies = {name: json.loads(body) for name, body in rows}
    assert list(bodies) == ["all", "old"]
    assert bodies["all"]["type"] == "watch.matched"
    assert [(m["watch"], m["catalog"], m["sku"]) for m in bodies["all"]["data"]["matches"]] == [
        ("w", "main", "a"), ("w", "main", "b")]  # fmt: skip
    assert jobs.scalar(text("select shop_private.webhook_messages(1000, 1000)")) == 0


@pytest.fixture
def caller(tenants: Shop) -> Any:
    """Yields a connection of tenant_a, which sees a product of catalog main and none of catalog theirs."""
    tenants.run("insert into shop.catalog (catalog) values ('theirs')")
    tenants.run(
        "insert into shop.product (product_id, sku, title, brand, catalog) select "
        "shop.product_id(b || c, c), b || c, 'x', b, c from (values ('tenant_a', 'main'), ('tenant_b', 'main'), "
        "('tenant_b', 'theirs')) v(b, c)"
    )
    url = tenants.database.url(None).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("set role tenant_a")
        yield conn


def test_a_hidden_catalog_and_an_absent_one_give_the_same_answers(tenants: Shop, caller: Any) -> None:
    said = {}
    for catalog in ("theirs", "absent"):
        for call in (
            "select shop.watch('w', filter => '{\"sku\": \"x\"}', catalog => %s)",
            "insert into shop_private.new_watch (name, filter, catalog) values ('w', '{\"sku\": \"x\"}', %s)",
        ):
            with pytest.raises(psycopg.errors.UndefinedObject) as caught:
                caller.execute(call, (catalog,))
            said[call, catalog] = str(caught.value).replace(catalog, "CATALOG")
    assert all(said[call, "theirs"] == said[call, "absent"] for call, _ in said)
    caller.execute("select shop.watch('w', filter => '{\"sku\": \"x\"}')")
    assert tenants.value("select array_agg(catalog order by catalog) from shop.catalog") == ["main", "theirs"]


def test_a_caller_cannot_claim_to_see_a_catalog(tenants: Shop, caller: Any) -> None:
    hidden = tenants.value("select product_id from shop.product where catalog = 'theirs'")
    for call in (
        f"select shop_private.watch_store('w', null, null, '{{}}', 'theirs', null, '{hidden}')",
        "select shop_private.watch_store()",
        "insert into shop_private.new_watch (name, filter, catalog, seen) values ('w', '{}', 'theirs', true)",
        "insert into shop_private.new_watch (name, filter, created_by) values ('w', '{}', 'tenant_b')",
        "create temp view mine as select 1 as seen; create trigger mine instead of insert on mine "
        "for each row execute function shop_private.watch_store()",
        "insert into shop.watch (catalog, name, condition, created_by) values ('theirs', 'w', 'true', 'tenant_a')",
        "alter table shop_private.new_watch disable trigger all",
    ):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction)):
            caller.execute(call)
    assert tenants.run("select 1 from shop.watch") == []


def test_the_watches_of_catalog_main_are_hidden_from_a_role_that_sees_none_of_its_products(
    tenants: Shop, caller: Any
) -> None:
    tenants.run("delete from shop.product where brand = 'tenant_a'")
    caller.execute("reset role")
    caller.execute("select shop.watch('taken', filter => '{\"sku\": \"x\"}')")
    caller.execute("set role tenant_a")
    for name in ("taken", "free"):
        with pytest.raises(psycopg.errors.UndefinedObject, match="there is no catalog 'main'"):
            caller.execute('select shop.watch(%s, filter => \'{"sku": "x"}\')', (name,))
