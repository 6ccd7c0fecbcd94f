"""shop.zero_shot finds the best label for the first image of each product. After a calibration, the label has a
confidence."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from db.catalog.product import Image, Product
from db.errors import DatabaseError, StatementRefused
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

LABELS = ["bag", "shoe", "lamp", "chair", "clock", "spoon"]
TRUE_TEMPERATURE = 0.12  # the temperature of the softmax from which drawn() draws labels


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


LABEL_VECTORS = unit(np.random.default_rng(1).standard_normal((len(LABELS), 24)))


@pytest.fixture
def shop_with_labels(shop: "Shop") -> Iterator["Shop"]:
    """Yields a shop with the vectors of all labels in its query cache, so that the tests need no encoder."""
    shop.run("delete from shop.tuning")
    for template in ("{}", "a photo of a {}"):
        for label, vector in zip(LABELS, LABEL_VECTORS, strict=True):
            cache(shop, template.replace("{}", label), vector)
    yield shop
    shop.run("delete from shop.tuning")


def cache(shop: "Shop", query: str, vector: NDArray[np.float32]) -> None:
    shop.run(
        "insert into shop_private.query_embedding (model_id, key, query, embedding) values "
        "(1, sha256(convert_to('t' || cast(:query as text), 'UTF8')), :query, cast(:vector as halfvec))",
        query=query,
        vector=str(vector.tolist()),
    )


def add(shop: "Shop", products: Sequence[Product], vectors: NDArray[np.float32], *, into: str = "main") -> None:
    """Loads products with one image each. Stores the vector of each product for both its title and its image."""
    shop.load(*products, into=into)
    by_title = {product.title: vector for product, vector in zip(products, vectors, strict=True)}
    worker = shop.worker()
    for part in ("title", "image"):
        while items := worker.claim(part, 1000):
            worker.complete(items, part, np.stack([by_title[item.title] for item in items]))
    worker.release()


def thing(number: int, **fields: Any) -> Product:
    return Product(f"p{number:04}", f"thing {number}", images=(Image(f"{number}.jpg"),), **fields)


def drawn(count: int, seed: int = 2) -> tuple[list[int], NDArray[np.float32]]:
    """Returns the true labels and the vectors of random images. The label of an image is drawn at random. The
    probabilities of the labels are the softmax of their similarities to the image."""
    random = np.random.default_rng(seed)
    near_label = LABEL_VECTORS[random.integers(0, len(LABELS), count)]
    vectors = unit(0.5 * near_label + random.standard_normal((count, 24)) / np.sqrt(24))
    logits = vectors @ LABEL_VECTORS.T / TRUE_TEMPERATURE
    chances = np.exp(logits - logits.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    return [int(random.choice(len(LABELS), p=row)) for row in chances], vectors


def tagged(shop: "Shop", count: int, field: str = "color") -> None:
    truth, vectors = drawn(count)
    add(shop, [thing(n, **{field: LABELS[label]}) for n, label in enumerate(truth)], vectors)


def zero_shot(shop: "Shop", labels: list[Any] | None = LABELS, **arguments: Any) -> list[Any]:
    """Calls shop.zero_shot as an analyst. The transactions of an analyst are read-only."""
    named = "".join(f", {name} => :{name}" for name in arguments)
    if "filter" in arguments:
        named = named.replace(":filter", "cast(:filter as jsonb)")
    statement = f"select * from shop.zero_shot(cast(:labels as text[]){named})"
    return list(shop.connect(Role.ANALYST).execute(text(statement), {"labels": labels, **arguments}).all())


def calibrate(shop: "Shop", arguments: str = "'color'") -> Any:
    return shop.connect(Role.APP).exec_driver_sql(f"select * from shop.calibrate_zero_shot({arguments})").one()


def test_each_encoded_product_gets_the_label_nearest_to_its_image(shop_with_labels: "Shop") -> None:
    _, vectors = drawn(40)
    add(shop_with_labels, [thing(n) for n in range(40)], vectors)
    shop_with_labels.load(thing(99))  # the image of this product is not encoded
    similarity = vectors @ LABEL_VECTORS.T
    rows = zero_shot(shop_with_labels)
    assert [row.sku for row in rows] == [f"p{n:04}" for n in range(40)]
    assert [row.label for row in rows] == [LABELS[n] for n in similarity.argmax(1)]
    assert [row.similarity for row in rows] == pytest.approx(similarity.max(1), abs=2e-3)
    first, second = np.sort(similarity, axis=1)[:, :-3:-1].T
    assert [row.margin for row in rows] == pytest.approx(first - second, abs=4e-3)


def test_only_the_first_image_of_a_product_decides_its_label(shop_with_labels: "Shop") -> None:
    shop_with_labels.load(Product("two", "two", images=(Image("first.jpg"), Image("second.jpg"))))
    worker = shop_with_labels.worker()
    worker.complete(worker.claim("title"))
    items = worker.claim("image")
    worker.complete(items, "image", np.stack([LABEL_VECTORS[item.position] for item in items]))
    assert [(row.sku, row.label) for row in zero_shot(shop_with_labels)] == [("two", "bag")]


def test_k_labels_are_listed_best_first_and_their_confidences_add_up_to_1(shop_with_labels: "Shop") -> None:
    tagged(shop_with_labels, 400)
    calibrate(shop_with_labels)
    rows = zero_shot(shop_with_labels, field="color", k=len(LABELS))
    assert len(rows) == 400 * len(LABELS)
    for n in range(0, len(rows), len(LABELS)):
        one = rows[n : n + len(LABELS)]
        assert len({row.sku for row in one}) == 1
        assert {row.label for row in one} == set(LABELS)
        assert [row.similarity for row in one] == sorted((row.similarity for row in one), reverse=True)
        assert sum(row.confidence for row in one) == pytest.approx(1)
        assert one[0].margin == pytest.approx(one[0].similarity - one[1].similarity)
        assert one[2].margin == pytest.approx(one[2].similarity - one[0].similarity)


def test_calibration_recovers_the_temperature_that_generated_the_tags(shop_with_labels: "Shop") -> None:
    tagged(shop_with_labels, 1600)
    fit = calibrate(shop_with_labels)
    assert fit.temperature == pytest.approx(TRUE_TEMPERATURE, rel=0.2)
    assert (fit.tagged, fit.labels, fit.reason) == (1600, len(LABELS), None)
    assert fit.ece <= 0.1 < fit.ece_uncalibrated
    [stored] = shop_with_labels.run("select model_id, name, value, detail from shop.tuning")
    assert (stored.model_id, stored.name, stored.value) == (1, "zero_shot:color", fit.temperature)
    assert stored.detail["tagged"] == 1600
    assert stored.detail["ece"] == fit.ece
    assert sorted(stored.detail["labels"]) == sorted(LABELS)

    sure = [row for row in zero_shot(shop_with_labels, field="color") if row.confidence > 0.8]
    truth = dict(shop_with_labels.run("select sku, color from shop.product"))
    right = np.mean([truth[row.sku] == row.label for row in sure])
    assert len(sure) > 100
    assert right == pytest.approx(np.mean([row.confidence for row in sure]), abs=0.06)


def test_a_second_calibration_replaces_the_first(shop_with_labels: "Shop") -> None:
    tagged(shop_with_labels, 400)
    assert calibrate(shop_with_labels).temperature == calibrate(shop_with_labels).temperature
    assert shop_with_labels.value("select count(*) from shop.tuning") == 1


def test_an_attribute_can_be_the_calibrated_field(shop_with_labels: "Shop") -> None:
    truth, vectors = drawn(250)
    attributes = [{"its kind": {"no. 1": LABELS[label]}} for label in truth]
    add(shop_with_labels, [thing(n, attributes=one) for n, one in enumerate(attributes)], vectors)
    place = r"attributes.its kind.no\. 1"
    assert calibrate(shop_with_labels, f"'{place}'").tagged == 250
    assert zero_shot(shop_with_labels, field=place)[0].confidence is not None


@pytest.mark.parametrize("count", [0, 199])
def test_with_fewer_than_200_tagged_products_there_is_no_confidence(shop_with_labels: "Shop", count: int) -> None:
    tagged(shop_with_labels, 250)
    calibrate(shop_with_labels)
    shop_with_labels.run("update shop.product set color = null where sku >= :sku", sku=f"p{count:04}")
    fit = calibrate(shop_with_labels)
    assert (fit.temperature, fit.tagged) == (None, count)
    assert "calibration needs 200 products" in fit.reason
    assert shop_with_labels.value("select count(*) from shop.tuning") == 0
    assert {row.confidence for row in zero_shot(shop_with_labels, field="color")} == {None}


def test_tags_unrelated_to_the_images_give_low_confidence_or_none(shop_with_labels: "Shop") -> None:
    _, vectors = drawn(600)
    random = np.random.default_rng(5)
    add(shop_with_labels, [thing(n, color=LABELS[random.integers(0, 6)]) for n in range(600)], vectors)
    fit = calibrate(shop_with_labels)
    assert fit.accuracy < 0.3
    assert all(row.confidence is None or row.confidence < 0.4 for row in zero_shot(shop_with_labels, field="color"))


def test_with_a_stored_calibration_error_above_0_1_there_is_no_confidence(shop_with_labels: "Shop") -> None:
    tagged(shop_with_labels, 250)
    calibrate(shop_with_labels)
    shop_with_labels.run("update shop.tuning set detail = detail || '{\"ece\": 0.11}'")
    assert zero_shot(shop_with_labels, field="color")[0].confidence is None


def test_confidence_needs_the_field_and_template_that_were_calibrated(shop_with_labels: "Shop") -> None:
    tagged(shop_with_labels, 250)
    calibrate(shop_with_labels, "'color', template => 'a photo of a {}'")
    # Without a template, the calibrated template is used.
    assert zero_shot(shop_with_labels, field="color")[0].confidence is not None
    assert zero_shot(shop_with_labels, field="color", template="a photo of a {}")[0].confidence is not None
    assert zero_shot(shop_with_labels, field="color", template="{}")[0].confidence is None
    assert zero_shot(shop_with_labels, field="material")[0].confidence is None


def test_without_confidence_a_notice_gives_the_reason(shop_with_labels: "Shop") -> None:
    add(shop_with_labels, [thing(1)], LABEL_VECTORS[:1])
    analyst = shop_with_labels.connect(Role.ANALYST)
    heard: list[tuple[str | None, str | None]] = []
    raw = analyst.connection.driver_connection
    assert raw is not None
    raw.add_notice_handler(lambda notice: heard.append((notice.sqlstate, notice.message_primary)))
    analyst.execute(text("select * from shop.zero_shot(cast(:labels as text[]))"), {"labels": LABELS})
    assert heard == [
        ("WS108", "no confidence: product_type was not calibrated with model toy; see shop.calibrate_zero_shot"),
    ]


def test_an_update_statement_with_zero_shot_fills_in_missing_tags(shop_with_labels: "Shop") -> None:
    tagged(shop_with_labels, 400)
    calibrate(shop_with_labels)
    shop_with_labels.run("update shop.product set color = null where sku < 'p0100'")
    app = shop_with_labels.connect(Role.APP)
    filled = app.execute(
        text(
            "update shop.product p set color = z.label from shop.zero_shot(cast(:labels as text[]), "
            "filter => '{\"color\": null}', field => 'color') z "
            "where z.product_id = p.product_id and z.confidence > .8"
        ),
        {"labels": LABELS},
    ).rowcount
    assert 10 < filled < 100
    assert shop_with_labels.value("select count(*) from shop.product where color is null") == 100 - filled
    assert shop_with_labels.work() == []  # a tag is not encoded, so it creates no work item


def test_zero_shot_gives_labels_only_to_products_that_match_the_filter_in_one_catalog(shop_with_labels: "Shop") -> None:
    _, vectors = drawn(3)
    add(shop_with_labels, [thing(1, brand="Acme"), thing(2)], vectors[:2])
    add(shop_with_labels, [thing(3, brand="Acme")], vectors[2:], into="outlet")
    assert [row.sku for row in zero_shot(shop_with_labels, filter='{"brand": "Acme"}')] == ["p0001"]
    assert [row.sku for row in zero_shot(shop_with_labels, catalog="outlet")] == ["p0003"]
    assert zero_shot(shop_with_labels, filter='{"brand": "nobody"}') == []


def test_each_label_is_encoded_once_for_all_products(shop: "Shop") -> None:
    _, vectors = drawn(50)
    add(shop, [thing(n) for n in range(50)], vectors)
    with shop.encoder():
        assert len(zero_shot(shop, ["one", "two"], template="a {}")) == 50
    assert shop.run("select query, asked from shop_private.query_embedding order by 1") == [("a one", 1), ("a two", 1)]


@pytest.mark.parametrize(
    ("labels", "arguments", "message"),
    [
        (None, {}, "labels is null"),
        ([], {}, "a list of 0"),
        (["bag"], {}, "a list of 1"),
        ([["bag", "shoe"], ["lamp", "chair"]], {}, "a list of lists"),
        ([str(n) for n in range(1001)], {}, "a list of 1001"),
        (["bag", " "], {}, "a label is empty"),
        (["bag", None], {}, "a label is empty"),
        (["bag", "shoe", " Bag"], {}, "is repeated"),
        (LABELS, {"template": "a photo"}, "no {} for the label"),
        (LABELS, {"k": 0}, "k is 0"),
        (LABELS, {"k": 7}, "k is 7"),
        (LABELS, {"field": "price"}, "is not a field that tags can be read from"),
        (LABELS, {"field": "attributes."}, "is not a field that tags can be read from"),
        (LABELS, {"field": None}, "null is not a field"),
        (LABELS, {"catalog": "nowhere"}, "nowhere"),
        (LABELS, {"filter": '{"x\'; drop table shop.product; --": 1}'}, "drop table"),
    ],
)
def test_invalid_arguments_are_rejected_with_a_reason(
    shop_with_labels: "Shop", labels: list[Any] | None, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(StatementRefused, match=message):
        zero_shot(shop_with_labels, labels, **arguments)


def test_more_than_five_million_comparisons_are_rejected_unless_a_filter_reduces_them(shop_with_labels: "Shop") -> None:
    labels = [f"label {n}" for n in range(1000)]
    shop_with_labels.run(
        "insert into shop_private.query_embedding (model_id, key, query, embedding) "
        "select 1, sha256(convert_to('tlabel ' || n, 'UTF8')), 'label ' || n, cast(:vector as halfvec) "
        "from generate_series(0, 999) n",
        vector=str(LABEL_VECTORS[0].tolist()),
    )
    with shop_with_labels.database.connect(None) as conn, conn.begin():
        conn.execute(text("set local session_replication_role = replica"))
        conn.execute(
            text(
                "insert into shop.product (product_id, sku, title, brand) select shop.product_id('s' || n), 's' || n, "
                "'t', case when n <= 2 then 'few' end from generate_series(1, 5001) n"
            )
        )
        conn.execute(
            text(
                "insert into shop.product_image (product_id, position, uri) select product_id, 0, "
                "'https://cdn.example/1.jpg' from shop.product"
            )
        )
        conn.execute(
            text(
                "insert into shop.toy_image (product_id, position, source, embedding) "
                "select product_id, 0, '', cast(:vector as halfvec) from shop.product"
            ),
            {"vector": str(LABEL_VECTORS[0].tolist())},
        )
    with pytest.raises(StatementRefused, match="more than 5000 products match; with 1000 labels"):
        zero_shot(shop_with_labels, labels)
    assert len(zero_shot(shop_with_labels, labels, filter='{"brand": "few"}')) == 2


def test_an_analyst_may_not_calibrate(shop_with_labels: "Shop") -> None:
    analyst: Connection = shop_with_labels.connect(Role.ANALYST)
    with pytest.raises(DatabaseError, match="permission denied"):
        analyst.exec_driver_sql("select * from shop.calibrate_zero_shot()")
