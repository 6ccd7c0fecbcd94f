"""`windowshop judge` stores judgements. `windowshop evaluate` measures a tiny CLIP. A mistake gives a clear error.

A leg ranks the products by image, by title or by keyword.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from db.work import items as work
from tests.support.images import load_drawings
from tests.support.processes import windowshop

WORDS = "bag shoe lamp chair clock spoon kettle drum scarf globe vase ladder anchor violin tent".split()  # noqa: SIM905
PRODUCTS = 45


def random_vectors(count: int, seed: int) -> Any:
    vectors = np.random.default_rng(seed).standard_normal((count, 24)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def env(clip_database: Database, environment: Callable[..., dict[str, str]], tmp_path: Path) -> dict[str, str]:
    """Returns the environment of a database with 45 products. Each product has random vectors and a title of two words.
    The vectors of the queries are in the cache."""
    load_drawings(clip_database, tmp_path / "images", PRODUCTS)
    with clip_database.connect(None) as conn, conn.begin():
        for n in range(PRODUCTS):
            title = f"{WORDS[n % 15]} {WORDS[(n * 7 + 3) % 15]}"
            conn.execute(
                text("update shop.product set title = :title where sku = :sku"), {"title": title, "sku": f"p{n}"}
            )
        for n, word in enumerate(queries()):
            conn.execute(
                text(
                    "insert into shop_private.query_embedding (model_id, key, query, embedding) values "
                    "(1, sha256(convert_to('t' || cast(:query as text), 'UTF8')), :query, cast(:vector as halfvec))"
                ),
                {"query": word, "vector": str(random_vectors(1, n)[0].tolist())},
            )
    worker = uuid4()
    with clip_database.connect(Role.ENCODER) as conn, conn.begin():
        work.heartbeat(conn, worker, "host", 1, "cpu", 60)
        for part, seed in (("title", 1), ("image", 2)):
            while items := work.claim(conn, worker, 1, part, 100):
                work.complete(conn, worker, 1, part, items, [b"x"] * len(items), random_vectors(len(items), seed))
    return {**environment(clip_database), "COLUMNS": "200"}


def queries() -> list[str]:
    return [*WORDS, *(f"{one} {other}" for one, other in zip(WORDS, WORDS[5:] + WORDS[:5], strict=True))]


def judge(env: dict[str, str], folder: Path) -> None:
    lines = ["query,sku,grade"]
    for query in queries():
        for n in range(PRODUCTS):
            title = {WORDS[n % 15], WORDS[(n * 7 + 3) % 15]}
            if hits := len(title & set(query.split())):
                lines.append(f"{query},p{n},{hits + 1}")
    (folder / "judged.csv").write_text("\n".join(lines) + "\n")
    done = windowshop("judge", "judged.csv", env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{len(lines) - 1:,} judgements of judged.csv: {len(lines) - 1:,} new, 0 changed")


def test_the_command_evaluate_measures_the_legs_and_fits_weights_and_compares_runs(
    env: dict[str, str], tmp_path: Path, clip_database: Database
) -> None:
    judge(env, tmp_path)
    first = windowshop("evaluate", "--weights", "image=1", env=env)
    assert first.returncode == 0, first.stderr
    for shown in (
        "text->image",
        "text->title",
        "text->keywords",
        "text->hybrid",
        "recall@10",
        "nDCG@10",
        "index recall",
    ):
        assert shown in first.stdout
    assert "Stored as run 1" in first.stdout

    fitted = windowshop("evaluate", "--fit", "--against", "last", "--json", env=env)
    assert fitted.returncode == 0, fitted.stderr
    said = json.loads(fitted.stdout)
    assert (said["run"], said["against"], said["model"]) == (2, 1, "clip")
    assert said["fitted"]["weights"]["keyword"] > 0
    assert said["fitted"]["dev"] + said["fitted"]["test"] == 30
    [row] = said["test_half"]
    assert row["best_leg"] == "keyword"
    by = {(one["direction"], one["metric"]): one for one in said["differences"]}
    assert by["text->image", "nDCG@10"]["value"] == 0
    assert by["text->hybrid", "nDCG@10"]["value"] > 0
    with clip_database.connect(Role.ANALYST) as conn:
        weights = {row.name: row.value for row in conn.execute(text("select name, value from shop.tuning"))}
    named = said["fitted"]["weights"]
    assert weights == {"rrf_k": named.pop("rrf_k"), **{f"{leg}_weight": value for leg, value in named.items()}}

    table = windowshop("evaluate", "--against", "1", "--k", "10", env=env)
    assert "This run minus run 1, query by query" in table.stdout
    assert "+.000 [+.000, +.000]" in table.stdout


def test_the_command_evaluate_uses_and_reports_the_given_weights_and_route_and_k(
    env: dict[str, str], tmp_path: Path
) -> None:
    judge(env, tmp_path)
    arguments = ("--weights", "keyword=1,rrf_k=5", "--route", "exact", "-k", "5", "--no-index-recall", "--json")
    done = windowshop("evaluate", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    results = {one["direction"]: one for one in json.loads(done.stdout)["results"]}
    hybrid = results["text->hybrid"]
    assert hybrid["setting"]["weights"] == {"image": 0, "title": 0, "keyword": 1, "rrf_k": 5}
    assert hybrid["metrics"] == results["text->keywords"]["metrics"]
    assert set(results["text->image"]["metrics"]) == {"recall@5", "MRR", "nDCG@10"}
    assert results["text->image"]["setting"]["routes"] == {"exact": 30}


MISTAKES = [
    ((), 'suite "default" has no judgements'),
    (("--suite", "x"), 'suite "x" has no judgements'),
    (("--weights", "image=much"), '--weights "image=much" cannot be read'),
    (("--weights", "image=0,title=0"), "not all 0"),
    (("--weights", "picture=1"), "cannot be read"),
    (("--weights", "image=1,rrf_k=0"), "cannot be read"),
    (("--filter", "price < 3"), "not JSON"),
    (("--filter", "[1]"), "is not a JSON object"),
    (("--route", "fast"), "neither exact nor hnsw"),
    (("--fit", "--filter", "{}"), "--fit cannot be combined with --filter"),
]


def test_a_mistake_gives_one_clear_error_and_exit_code_2(
    clip_database: Database, environment: Callable[..., dict[str, str]]
) -> None:
    env = environment(clip_database)
    for arguments, said in MISTAKES:
        done = windowshop("evaluate", *arguments, env=env)
        assert done.returncode == 2, done.stderr
        assert said in " ".join(done.stderr.split())
        assert done.stderr.count("error: ") == 1
        assert "Traceback" not in done.stderr


def test_runs_with_different_judgements_are_not_compared_and_a_query_needs_a_vector(
    env: dict[str, str], tmp_path: Path
) -> None:
    judge(env, tmp_path)
    assert windowshop("evaluate", env=env).returncode == 0
    (tmp_path / "more.csv").write_text("query,sku\nnever asked,p1\n")
    assert windowshop("judge", "more.csv", env=env, cwd=tmp_path).returncode == 0
    refused = windowshop("evaluate", "--against", "last", env=env)
    assert refused.returncode == 2
    assert "catalog main, without a filter: 30 queries then, 31 now" in refused.stderr
    unanswered = windowshop("evaluate", env=env)
    assert unanswered.returncode == 3
    assert 'query "never asked" of suite default cannot be encoded' in unanswered.stderr
    assert "windowshop encode" in unanswered.stderr


def test_a_login_that_may_not_store_evaluations_is_refused(
    clip_database: Database, environment: Callable[..., dict[str, str]]
) -> None:
    done = windowshop("evaluate", env=environment(clip_database, Role.ANALYST))
    assert done.returncode == 3
    assert "the login shop_cli does not have the rights of shop_app" in done.stderr


def test_rejected_judgements_are_reported_with_exit_code_6(
    clip_database: Database, environment: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "judged.csv").write_text("query,sku,grade\nbag,p1,3\nbag,p2,9\n")
    done = windowshop("judge", "judged.csv", env=environment(clip_database), cwd=tmp_path)
    assert done.returncode == 6
    assert "2 judgements of judged.csv: 1 new, 0 changed, 0 unchanged, 1 rejected" in done.stdout
    assert 'line 3: grade "9" is not 0, 1, 2 or 3' in done.stderr
    assert "that are not in the catalog and do not count: 1 (p1)" in done.stderr
