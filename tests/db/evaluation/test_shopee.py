"""Shopee's data set has label groups: the postings of one group show the same product. The SQL statement documented in
docs/evaluation.md turns the groups into judgements whose queries are images."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from db.errors import SettingsError
from db.evaluation import fitting
from db.evaluation.fusion import LegWeights
from db.evaluation.judgements import read
from db.evaluation.measure import MeasureOptions, measure, prepare, serving
from db.evaluation.metrics import bootstrap
from db.roles import Role
from tests.support.loading import load_catalog

if TYPE_CHECKING:
    from tests.support.shop import Shop

GROUPS, POSTINGS = 24, 4  # the number of label groups and the number of postings in each group

DOCUMENT = Path(__file__).parents[3] / "docs" / "evaluation.md"
[JUDGE] = [found for found in re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.S) if "label_group" in found]


@pytest.fixture
def postings(shop: "Shop", tmp_path: Path) -> "Shop":
    lines = ["posting_id,image,image_phash,title,label_group"]
    for group in range(GROUPS):
        lines += [
            f"train_{group}_{n},{group}-{n}.jpg,{group:015x}{n},tas ransel {group} murah {n},{1000 + group}"
            for n in range(POSTINGS)
        ]
    lines.append("train_alone,alone.jpg,ffffffffffffffff,tas lain,9999")
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "train_images").mkdir()
    load_catalog(shop.database, tmp_path / "train.csv")
    # The vectors of a group are one random direction plus random noise for each image and each title.
    rng = np.random.default_rng(4)
    directions = {str(1000 + group): rng.standard_normal(24) for group in range(GROUPS)}
    group_of = dict(shop.run("select product_id, attributes ->> 'label_group' from shop.product"))
    worker = shop.worker()
    for part, noise in (("image", 0.9), ("title", 0.9)):
        while items := worker.claim(part, 1000):
            shared = np.array([directions.get(group_of[item.product_id], np.zeros(24)) for item in items])
            vectors = (shared + noise * rng.standard_normal(shared.shape)).astype(np.float32)
            worker.complete(items, part, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    worker.release()
    return shop


def test_image_and_title_together_find_more_of_a_label_group_than_either_alone(postings: "Shop") -> None:
    postings.connect(Role.APP).exec_driver_sql(JUDGE)
    conn = postings.connect(Role.ANALYST)
    try:
        [task] = prepare(conn, read(conn, ["groups"]))
        assert task.kind == "image"
        assert len(task.queries) == GROUPS * POSTINGS  # each posting is a query, because its group has other postings
        by_itself = measure(conn, task, serving(conn))
        both = measure(conn, task, serving(conn), MeasureOptions(weights=LegWeights(1, 1, 0)))
        assert [leg.direction for leg in both] == ["image->image", "image->title", "image->hybrid"]
        assert by_itself[2].results == by_itself[0].results  # by default, only the image leg answers
        for query, results in zip(task.queries, both[2].results, strict=True):
            assert query.picture_sku not in results
        image, title, hybrid = (leg.column("nDCG@10") for leg in both)
        for alone in (image, title):
            assert 0.3 < alone.mean() < 0.99
            [difference] = bootstrap((hybrid - alone)[:, None])
            assert difference.low > 0
        # Weights are fitted only on queries with a text.
        with pytest.raises(SettingsError, match="the 0 queries with a text are split"):
            fitting.fit_weights(conn, [])
    finally:
        postings.run("delete from shop.judgement")
