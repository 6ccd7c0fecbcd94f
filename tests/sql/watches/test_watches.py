"""A watch reports each matching product once. The transaction that makes the product searchable also writes the
report."""

import pytest
from sqlalchemy import text

from db.errors import DatabaseError
from db.roles import Role
from tests.support.shop import Shop, Worker, product, unit_vectors

NEAR, FAR = 7, 8  # seeds of vectors: a watch of the text "dark" has the vector of NEAR


@pytest.fixture
def watched(shop: Shop) -> Shop:
    shop.cache("dark", seed=NEAR)
    return shop


def watch(shop: Shop, name: str, arguments: str) -> int:
    return int(shop.connect(Role.APP).scalar(text(f"select shop.watch('{name}', {arguments})")) or 0)


def encode(worker: Worker, *, seed: int = NEAR, parts: tuple[str, ...] = ("title", "image")) -> None:
    for part in parts:
        items = worker.claim(part, 100)  # type: ignore[arg-type]
        vectors = unit_vectors(1, seed=seed).repeat(len(items), axis=0)
        worker.complete(items, part, vectors)  # type: ignore[arg-type]


def found(shop: Shop) -> list[tuple[str, str]]:
    rows = shop.run(
        "select w.name, p.sku from shop.watch_match m join shop.watch w using (watch_id) "
        "join shop.product p using (product_id) order by w.name, p.sku"
    )
    return [tuple(row) for row in rows]


def test_a_product_is_found_once_when_its_last_part_is_encoded(watched: Shop) -> None:
    watch(watched, "dark", "'dark', min_similarity => 0.9")
    watched.add("a")
    worker = watched.worker()
    encode(worker, parts=("title",))
    assert found(watched) == []
    encode(worker, parts=("image",))
    assert found(watched) == [("dark", "a")]
    watched.run("update shop.product set title = 'another title'")
    encode(worker)
    assert watched.value("select count(*) from shop.watch_match") == 1
    assert watched.value("select count(*) from shop_private.watch_note") == 0


def test_a_product_that_does_not_resemble_the_watch_is_found_after_its_image_has_changed(watched: Shop) -> None:
    watch(watched, "dark", "'dark', min_similarity => 0.9")
    watched.add("a")
    worker = watched.worker()
    encode(worker, seed=FAR)
    watched.run("update shop.product set price = 3")
    assert found(watched) == []
    watched.run("update shop.product_image set uri = 'other.jpg'")
    encode(worker)
    assert found(watched) == [("dark", "a")]


def test_a_watch_finds_new_products_of_its_catalog_that_pass_its_filter(watched: Shop) -> None:
    watched.load(product("old"), into="berlin")
    watch(watched, "cheap", """filter => '{"price": {"lt": 10}}'""")
    watch(watched, "both", """'dark', filter => '{"price": {"lt": 10}}', min_similarity => 0.9""")
    watch(watched, "berlin", """filter => '{"price": {"lt": 10}}', catalog => 'berlin'""")
    watched.load(product("a", price=5, currency="EUR"), product("b", price=50, currency="EUR"))
    encode(watched.worker())
    assert found(watched) == [("both", "a"), ("cheap", "a")]


def test_a_watch_of_a_text_also_matches_products_with_all_words_of_the_text(watched: Shop) -> None:
    watched.cache("red shoes", seed=FAR)
    watched.add(*(f"s{n:02}" for n in range(60)))
    watched.encode_all()
    watch(watched, "shoes", "'red shoes'")
    watched.load(product("a", "Shoe in red"), product("b", "red hat"), product("n", "something else"))
    encode(watched.worker(), seed=NEAR)
    assert found(watched) == [("shoes", "a")]


def test_without_min_similarity_the_floor_lies_far_above_the_usual_similarity(watched: Shop) -> None:
    watched.add(*(f"s{n:02}" for n in range(60)))
    watched.encode_all()
    watch(watched, "dark", "'dark'")
    mean, floor = watched.run(
        "select avg(1 - (i.embedding <=> v.embedding)), avg(v.image_floor) from shop.toy_image i, "
        "shop_private.watch_vector v"
    )[0]
    assert floor > mean + 0.3
    watched.add("near", "far")
    worker = watched.worker()
    encode(worker, parts=("title",), seed=FAR)
    items = sorted(worker.claim("image"), key=lambda item: item.uri or "")
    vectors = unit_vectors(1, seed=FAR).repeat(2, axis=0)
    vectors[1] = unit_vectors(1, seed=NEAR)
    worker.complete(items, "image", vectors)
    assert found(watched) == [("dark", "near")]
    similarity = watched.run("select image_similarity, title_similarity from shop.watch_match")[0]
    assert similarity[0] == pytest.approx(1, abs=0.01) and similarity[1] is None


def test_two_encoders_that_store_two_parts_at_the_same_moment_find_a_product_once(watched: Shop) -> None:
    import threading

    watch(watched, "all", """filter => '{"sku": "a"}'""")
    watched.add("a")
    title, image = watched.worker(), watched.worker()
    titles, images = title.claim("title"), image.claim("image")
    with watched.database.connect(Role.ENCODER) as conn:
        with conn.begin():
            Worker(conn, id=title.id).complete(titles, "title")
            other = threading.Thread(target=image.complete, args=(images, "image"))
            other.start()
            other.join(0.5)
            assert other.is_alive()  # it waits for the first transaction
        other.join(60)
    assert found(watched) == [("all", "a")]


def test_a_broken_filter_disables_its_watch_and_does_not_stop_the_encoder(watched: Shop) -> None:
    watch(watched, "good", """filter => '{"sku": "a"}'""")
    watch(watched, "broken", """filter => '{"brand": "x"}'""")
    watched.run("update shop.watch set condition = 'p.dropped = 3' where name = 'broken'")
    watched.add("a")
    encode(watched.worker())
    assert found(watched) == [("good", "a")]
    [row] = watched.run("select name, error from shop.watch where disabled_at is not null")
    assert tuple(row) == ("broken", "the filter fails: column p.dropped does not exist")
    watched.add("c")
    encode(watched.worker())


def test_matches_are_deleted_with_their_product_and_their_catalog(watched: Shop) -> None:
    watched.load(product("a"), into="berlin")
    watch(watched, "w", """filter => '{"sku": {"ne": "x"}}', catalog => 'berlin'""")
    watched.load(product("b"), into="berlin")
    encode(watched.worker())
    assert found(watched) == [("w", "a"), ("w", "b")]
    watched.run("delete from shop.product where sku = 'a'")
    assert found(watched) == [("w", "b")]
    watched.load(product("a"), into="berlin")
    encode(watched.worker())
    assert found(watched) == [("w", "a"), ("w", "b")]  # a product that was deleted and is loaded again is new
    watched.run("delete from shop.catalog where catalog = 'berlin'")
    assert watched.value("select count(*) from shop.watch") == 0
    assert watched.value("select count(*) from shop.watch_match") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "nothing to watch for"),
        (", filter => '{}'", "nothing to watch for"),
        (", 'dark', min_similarity => 'NaN'", "min_similarity is not between -1 and 1"),
        (""", filter => '{"sku": "a"}', min_similarity => 0.5""", "min_similarity needs a text or an image"),
        (", 'dark', catalog => 'nowhere'", "there is no catalog 'nowhere'"),
        (""", filter => '{"nonsense": 3}'""", "nonsense"),
        (", filter => jsonb_build_object('sku', repeat('x', 16384))", "the filter of a watch is too long: 16395 bytes"),
        (", 'dark -red', min_similarity => 0.5", "the text of a watch cannot have operators"),
        (", image => ''", "the image is empty: 0 bytes"),
        (", image => convert_to(repeat('x', 1048577), 'UTF8')", "the image of a watch is too large"),
        (", '  '", "the query text is empty"),
        (", 'dark'", "fewer than 50 encoded products"),
        (""", filter => '{"sku": "a"}', catalog => null""", "there is no catalog"),
    ],
)
def test_a_watch_that_cannot_work_is_refused(watched: Shop, arguments: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message):
        watched.connect(Role.APP).execute(text(f"select shop.watch('w'{arguments})"))
    assert watched.value("select count(*) from shop.watch") == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("'-x', jsonb_build_object('sku', 'a')", "'-x' cannot be the name of a watch"),
        ("'w', jsonb_build_object('sku', repeat('x', 16384))", "the filter of a watch is too long"),
    ],
)
def test_a_watch_that_a_caller_inserts_without_the_function_is_checked_too(
    watched: Shop, values: str, message: str
) -> None:
    with pytest.raises(DatabaseError, match=message):
        watched.connect(Role.APP).execute(
            text(f"insert into shop_private.new_watch (name, filter, catalog) select {values}, 'main'")
        )


def test_a_catalog_has_at_most_1000_watches_each_with_a_name_of_its_own(watched: Shop) -> None:
    watch(watched, "first", """filter => '{"sku": "a"}'""")
    with pytest.raises(DatabaseError, match="catalog 'main' has a watch 'first' already"):
        watch(watched, "first", """filter => '{"sku": "a"}'""")
    with pytest.raises(DatabaseError, match="'-x' cannot be the name of a watch"):
        watch(watched, "-x", """filter => '{"sku": "a"}'""")
    watched.run(
        "insert into shop.watch (catalog, name, filter, condition, created_by) "
        "select 'main', 'w' || n, '{}', 'true', 'x' from generate_series(2, 1000) n"
    )
    with pytest.raises(DatabaseError, match="catalog 'main' has 1000 watches"):
        watch(watched, "last", """filter => '{"sku": "a"}'""")
    app = watched.connect(Role.APP)
    assert app.scalar(text("select shop.unwatch('first')")) is True
    assert app.scalar(text("select shop.unwatch('first')")) is False
    watch(watched, "last", """filter => '{"sku": "a"}'""")


def test_an_analyst_reads_watches_and_creates_none(watched: Shop) -> None:
    watch(watched, "w", """filter => '{"sku": "a"}'""")
    analyst = watched.connect(Role.ANALYST)
    assert analyst.scalar(text("select name from shop.watch")) == "w"
    for statement in ("select shop.watch('x', 'dark')", "select shop.unwatch('w')"):
        with pytest.raises(DatabaseError, match="permission denied"):
            analyst.execute(text(statement))
    # A condition is SQL that runs with the owner's rights, so not even the role app may change it.
    with pytest.raises(DatabaseError, match="permission denied"):
        watched.connect(Role.APP).execute(text("update shop.watch set condition = 'true'"))


def test_the_matches_of_a_batch_cause_one_notification_with_the_key_of_their_watch(watched: Shop) -> None:
    import psycopg

    key = watch(watched, "w", """filter => '{"sku": {"in": ["a", "b"]}}'""")
    watched.add("a", "b", "c")
    url = watched.database.url(None).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("listen shop_watch")
        encode(watched.worker())
        assert [note.payload for note in conn.notifies(timeout=30, stop_after=1)] == [str(key)]
        assert [note.payload for note in conn.notifies(timeout=0)] == []
