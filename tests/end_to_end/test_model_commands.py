"""Commands add, evaluate, promote, roll back, re-index and retire a model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import Database
from db.lifecycle.deferred_indexes import PRODUCT_INDEXES, PRODUCT_KEYS, defer_product_indexes
from db.roles import Role
from db.settings import Settings
from migrations.model_revisions import NewModel, add_model
from tests.support import tiny_models
from tests.support.images import load_drawings
from tests.support.processes import running_encoder, windowshop

pytestmark = pytest.mark.deploy
PRODUCTS = 12
Environment = Callable[[Database], dict[str, str]]


@pytest.fixture
def env(clip_database: Database, environment: Environment) -> dict[str, str]:
    """Returns the environment of a database with an empty catalog. The tiny CLIP is the serving model."""
    return {**environment(clip_database), "COLUMNS": "220"}


@pytest.fixture
def env_with_two_models(env: dict[str, str], clip_database: Database, settings: Settings) -> dict[str, str]:
    """Adds a second model with status `building` and returns the same environment. No test loads the second model."""
    add_model(clip_database, settings, NewModel("siglip", "siglip", "revision 1", 40))
    return env


def said(env: dict[str, str], *arguments: str, cwd: Path | None = None) -> str:
    done = windowshop(*arguments, env=env, cwd=cwd)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def refused(env: dict[str, str], *arguments: str, code: int = 3) -> str:
    done = windowshop(*arguments, env=env)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def status(env: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {model["model"]: model for model in json.loads(said(env, "model", "status", "--json"))}


def test_a_model_is_added_and_promoted_and_retired(
    env: dict[str, str], clip_database: Database, tmp_path: Path
) -> None:
    load_drawings(clip_database, tmp_path / "images", PRODUCTS)
    added = said(env, "model", "add", str(tiny_models.make_siglip(tmp_path / "siglip")))
    for tower in ("image", "text"):
        assert f"The {tower} tower is exported for ONNX Runtime: least cosine to torch 1.0000" in added
    said(env, "encode", "--once", "--no-queries", "--model", "clip")
    models = status(env)
    assert (models["clip"]["exported"], models["siglip"]["exported"]) == ([], ["image", "text"])
    assert "exported for ONNX Runtime: image, text" in said(env, "model", "status")
    assert (models["clip"]["status"], models["siglip"]["status"]) == ("serving", "building")
    nothing = {"items": PRODUCTS, "done": 0, "waiting": PRODUCTS, "leased": 0, "quarantined": 0, "counts_are": "exact"}
    assert models["siglip"]["coverage"] == {"image": nothing, "title": nothing}
    assert models["clip"]["coverage"]["image"] == {**nothing, "done": PRODUCTS, "waiting": 0}
    assert [index["valid"] for index in models["siglip"]["indexes"]] == [True, True]
    assert "12 of 12 images are not encoded, 12 of 12 titles" in refused(env, "model", "promote", "siglip")

    with running_encoder(env, tmp_path / "log"):
        assert "text onnxruntime, text torch" in (tmp_path / "log").read_text()
        said(env, "encode", "--once", "--no-queries")
        (tmp_path / "judged.csv").write_text("query,sku\n" + "".join(f"thing {n},p{n}\n" for n in range(PRODUCTS)))
        said(env, "judge", "judged.csv", cwd=tmp_path)
        tried = said(env, "model", "evaluate", "siglip")
        for shown in (
            "model clip,",
            "model siglip,",
            "text->hybrid",
            "This run minus run 2, query by query",
            "Stored as run 1",
        ):
            assert shown in tried
        as_json = json.loads(said(env, "model", "evaluate", "siglip", "--json"))
        assert (as_json["model"], as_json["run"], as_json["against"]) == ("siglip", 3, 4)
        assert {one["metric"] for one in as_json["differences"]} == {"recall@10", "MRR", "nDCG@10"}

        promoted = said(env, "model", "promote", "siglip")
        assert "Search is served by siglip, which takes the place of clip." in promoted
        assert "12 of 12 images, 12 of 12 titles" in promoted
        assert "Trial, suite default, text->hybrid: nDCG@10" in promoted
        assert "windowshop model rollback" in promoted
        with clip_database.connect(Role.ANALYST) as conn:
            assert conn.scalar(text("select vector_dims(shop.clip_text('thing'))")) == 40
        assert "served by clip" in said(env, "model", "rollback")
        assert "served by siglip" in said(env, "model", "rollback")

    again = said(env, "model", "add", str(tmp_path / "siglip"))
    assert again.endswith("Model siglip was added before and serves the search.\n")
    table = said(env, "model", "status")
    print(table)
    for shown in ("siglip", "serving", "building", "images", "titles", "valid", "nDCG@10", "run 3"):
        assert shown in table, table
    assert "model siglip is serving" in refused(env, "model", "retire", "siglip")
    retired = said(env, "model", "retire", "clip")
    assert "site_0005_unindex_clip.py" in retired
    assert "Model clip is retired." in retired
    assert status(env)["clip"]["status"] == "retired"
    assert "clip" in said(env, "model", "status")
    assert "is retired" in refused(env, "model", "rollback")
    assert "was retired already" in said(env, "model", "retire", "clip")


def test_indexes_are_listed_and_rebuilt(env_with_two_models: dict[str, str]) -> None:
    rows = json.loads(said(env_with_two_models, "index", "status", "--json"))
    assert {(row["name"], row["m"], row["ef_construction"], row["valid"]) for row in rows} == {
        (f"{model}_{part}_hnsw", 16, 64, True) for model in ("clip", "siglip") for part in ("image", "title")
    }
    assert "site_0005_reindex_clip.py" in said(
        env_with_two_models, "index", "rebuild", "--m", "24", "--ef-construction", "80"
    )
    listed = said(env_with_two_models, "index", "status")
    [line] = [line for line in listed.splitlines() if "clip_image_hnsw" in line]
    assert line.split()[-3:] == ["24", "80", "valid"]
    assert "less than 128, twice m" in refused(env_with_two_models, "index", "rebuild", "--m", "64", code=2)
    assert "model nothing has no indexes" in refused(env_with_two_models, "index", "rebuild", "--model", "nothing")


def test_a_deferred_index_is_listed_and_built(env_with_two_models: dict[str, str], clip_database: Database) -> None:
    assert "No index is deferred." in said(env_with_two_models, "index", "build")
    assert defer_product_indexes(clip_database)
    with clip_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop.deferred_index (name, table_name, definition) "
                "select 'clip_image_hnsw', 'clip_image', pg_get_indexdef('shop.clip_image_hnsw'::regclass)"
            )
        )
        conn.execute(text("drop index shop.clip_image_hnsw"))
    listed = said(env_with_two_models, "index", "status")
    assert [line.split()[-1:] for line in listed.splitlines() if "clip_image_hnsw" in line] == [["deferred"]]
    names = (*PRODUCT_INDEXES, *PRODUCT_KEYS, "clip_image_hnsw")
    assert set(said(env_with_two_models, "index", "build").splitlines()) == {f"built {name}" for name in names}
    assert "Deferred" not in said(env_with_two_models, "index", "status")


def test_a_command_for_an_unknown_or_unsuitable_model_gives_one_error(env_with_two_models: dict[str, str]) -> None:
    assert "no other model has served before" in refused(env_with_two_models, "model", "rollback")
    assert "there is no model" in refused(env_with_two_models, "model", "promote", "nothing")
    assert "there is no model" in refused(env_with_two_models, "model", "retire", "nothing")
    assert "there is no model" in refused(env_with_two_models, "model", "evaluate", "nothing")
    assert "there is no model" in refused(env_with_two_models, "model", "export", "nothing", code=5)
    assert "model clip is serving" in refused(env_with_two_models, "model", "evaluate", "clip", code=2)
    assert 'suite "default" has no judgements' in refused(env_with_two_models, "model", "evaluate", "siglip", code=2)
