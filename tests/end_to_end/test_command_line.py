"""A mistake at the command line gives the documented exit code and one error without a traceback. The error names the
fault, and often also the remedy. Commands that search, and commands for models and logins, work."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from tests.support import tiny_models
from tests.support.databases import Databases
from tests.support.images import load_drawings
from tests.support.processes import running_encoder, windowshop

Environment = Callable[[Database], dict[str, str]]


def refused(*arguments: str, env: dict[str, str], code: int, cwd: Path | None = None) -> str:
    """Run a command that must fail with exit code `code`. Returns the standard error of the command on one line."""
    done = windowshop(*arguments, env=env, cwd=cwd)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    if code != 2 or "error:" in done.stderr:
        assert done.stderr.count("error: ") == 1, done.stderr
    return " ".join(done.stderr.split())


@pytest.fixture
def env(clip_database: Database, environment: Environment) -> dict[str, str]:
    return environment(clip_database)


def test_an_address_without_a_database_server_is_an_error(env: dict[str, str]) -> None:
    env = {**env, "WINDOWSHOP_DATABASE_URL": "postgresql://someone:secret@127.0.0.1:9/shop"}
    said = refused("search", "chair", env=env, code=3)
    assert "no database answers at 127.0.0.1:9/shop" in said
    assert "WINDOWSHOP_DATABASE_URL" in said
    assert "secret" not in said


def test_a_wrong_password_is_an_error(env: dict[str, str], clip_database: Database) -> None:
    wrong = clip_database.write.set(drivername="postgresql", password="wrong").render_as_string(hide_password=False)
    said = refused("db", "status", env={**env, "WINDOWSHOP_DATABASE_URL": wrong}, code=3)
    assert "password authentication failed" in said
    assert "wrong" not in said


def test_a_missing_database_is_an_error(env: dict[str, str]) -> None:
    url = env["WINDOWSHOP_DATABASE_URL"].rsplit("/", 1)[0] + "/nowhere"
    assert 'database "nowhere" does not exist' in refused(
        "db", "upgrade", env={**env, "WINDOWSHOP_DATABASE_URL": url}, code=3
    )


def test_an_invalid_address_is_an_error(env: dict[str, str]) -> None:
    said = refused("search", "chair", env={**env, "WINDOWSHOP_DATABASE_URL": "my database"}, code=2)
    assert "WINDOWSHOP_DATABASE_URL is not a database address" in said
    said = refused("search", "chair", env={**env, "WINDOWSHOP_DATABASE_URL": "mysql://u@h/d"}, code=2)
    assert "needs PostgreSQL" in said


def test_a_database_without_the_schema_is_an_error(env: dict[str, str], databases: Databases) -> None:
    empty = databases.admin_url(databases.create())
    said = refused("search", "chair", env={**env, "WINDOWSHOP_DATABASE_URL": empty}, code=3)
    assert "has no Windowshop schema" in said
    assert "windowshop db upgrade" in said


def test_the_error_about_an_invalid_setting_names_the_setting(env: dict[str, str]) -> None:
    said = refused("search", "chair", env={**env, "WINDOWSHOP_STATEMENT_TIMEOUT_MS": "soon"}, code=2)
    assert "WINDOWSHOP_STATEMENT_TIMEOUT_MS" in said


def test_a_home_folder_that_is_a_file_is_an_error(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    embedded = {name: value for name, value in env.items() if name != "WINDOWSHOP_DATABASE_URL"}
    assert str(tmp_path / "file") in refused(
        "db", "start", env={**embedded, "WINDOWSHOP_HOME": str(tmp_path / "file")}, code=4
    )


def test_without_an_encoder_the_error_says_how_to_start_an_encoder(
    env: dict[str, str], clip_database: Database, tmp_path: Path
) -> None:
    load_drawings(clip_database, tmp_path / "images", 3)
    assert windowshop("encode", "--once", "--no-queries", env=env).returncode == 0
    said = refused("search", "never asked", env=env, code=3)
    assert "no encoder is connected" in said
    assert "windowshop encode" in said


def test_a_search_without_a_query_is_an_error(env: dict[str, str]) -> None:
    assert "nothing to search for" in refused("search", env=env, code=2)
    assert "the query text is empty" in refused("search", "  ", env=env, code=2)
    refused("search", "chair", "-k", "0", env=env, code=2)


def test_an_image_that_cannot_be_a_query_is_an_error(env: dict[str, str], tmp_path: Path) -> None:
    assert "is not a file" in refused("search", "--image", str(tmp_path / "gone.jpg"), env=env, code=2)
    (tmp_path / "big.jpg").write_bytes(bytes(11_000_000))
    assert "larger than 10 MB" in refused("search", "--image", str(tmp_path / "big.jpg"), env=env, code=2)
    (tmp_path / "empty.jpg").touch()
    assert "is empty" in refused("search", "--image", str(tmp_path / "empty.jpg"), env=env, code=2)


def test_a_condition_that_postgresql_refuses_is_an_error(
    env: dict[str, str], clip_database: Database, tmp_path: Path
) -> None:
    with clip_database.connect(None) as conn:
        conn.execute(
            text(
                "insert into shop_private.query_embedding (model_id, key, query, embedding) select model_id, "
                "sha256('tchair'::bytea), 'chair', l2_normalize(array_fill(1, array[24])::real[]::halfvec) "
                "from shop.model"
            )
        )
        conn.commit()

    def where(condition: str) -> str:
        return refused("search", "chair", "--where", condition, env=env, code=3)

    assert 'column "pric" does not exist' in where("pric < 3")
    assert "syntax error" in where("price <")
    assert "permission denied" in where("exists (select from shop_private.request)")
    where("true); delete from shop.product; --")
    load_drawings(clip_database, tmp_path / "images", 2)
    another = "true); commit; reset role; delete from shop.product; select sku from shop.searchable where (true"
    assert "multiple commands" in where(another)
    where("shop.product_id(sku) in (delete from shop.product returning product_id)")
    with clip_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop.product")) == 2


def test_a_model_that_cannot_be_added_is_an_error(env: dict[str, str], tmp_path: Path) -> None:
    assert "no model folder" in refused("model", "add", str(tmp_path / "gone"), env=env, code=5)
    (tmp_path / "empty").mkdir()
    assert "cannot be loaded" in refused("model", "add", str(tmp_path / "empty"), env=env, code=5)
    folder = tiny_models.make_clip(tmp_path / "clip-other", seed=5)
    said = refused("model", "add", str(folder), "--as", "clip", env=env, code=2)
    assert "exists already with other weights" in said
    for name in ("My Model", ""):
        assert "cannot be a model name" in refused("model", "add", str(folder), "--as", name, env=env, code=2)
    assert "there is no model" in refused("model", "serve", "nothing", env=env, code=3)


@pytest.mark.deploy
def test_an_encoder_refuses_weights_that_changed_since_the_model_was_added(env: dict[str, str], tmp_path: Path) -> None:
    folder = tiny_models.make_clip(tmp_path / "changing", dimension=16)
    assert windowshop("model", "add", str(folder), env=env).returncode == 0
    shutil.rmtree(folder)
    tiny_models.make_clip(folder, dimension=20)
    assert "gives 20 dimensions, but was added with 16" in refused("encode", "--once", env=env, code=5)
    shutil.rmtree(folder)
    tiny_models.make_clip(folder, seed=9, dimension=16)
    assert "but the loaded weights are" in refused("encode", "--once", env=env, code=5)
    shutil.rmtree(folder)
    assert "no model folder" in refused("encode", "--once", env=env, code=5)


def test_a_search_prints_a_table_or_json_or_sql_that_psql_runs(
    env: dict[str, str], clip_database: Database, tmp_path: Path
) -> None:
    load_drawings(clip_database, tmp_path / "images", 12)
    image = tmp_path / "images" / "3.png"
    with running_encoder(env, tmp_path / "log"):
        assert windowshop("encode", "--once", "--no-queries", env=env).returncode == 0
        by_image = windowshop("search", "--image", str(image), "-k", "3", "--json", env=env)
        assert by_image.returncode == 0, by_image.stderr
        hits = json.loads(by_image.stdout)
        assert hits[0]["sku"] == "p3"
        assert hits[0]["similarity"] == pytest.approx(1, abs=0.01)
        assert len(hits) == 3
        by_sku = windowshop("search", "--image", str(image), "-k", "3", "--sort", "stock, sku desc", "--json", env=env)
        assert [hit["sku"] for hit in json.loads(by_sku.stdout)] == ["p9", "p8", "p7"], by_sku.stderr
        assert "no field" in windowshop("search", "thing", "--sort", "nothing", env=env).stderr
        assert "cannot be combined" in windowshop("search", "x", "--sort", "sku", "--where", "true", env=env).stderr
        both = windowshop("search", "thing", "--image", str(image), "--where", "title like '%1%'", env=env)
        assert both.returncode == 0, both.stderr
        assert "p10" in both.stdout
        shown = windowshop("search", "--image", str(image), "-k", "1", "--sql", env=env).stdout
        ran = windowshop("db", "psql", "--role", "analyst", "-At", "-c", "select 1", env=env)
        assert ran.stdout.strip() == "1"
        wrong = ["--role", "analyst", "-c", "select shop.search(query => 'thing', k => 0)"]
        refused = windowshop("db", "psql", *wrong, env=env).stderr
        assert "ERROR:" in refused and "CONTEXT:" not in refused
        assert "CONTEXT:" in windowshop("db", "psql", "-v", "SHOW_CONTEXT=errors", *wrong, env=env).stderr
        script = tmp_path / "shown.sql"
        script.write_text(shown)
        again = windowshop("db", "psql", "--role", "analyst", "-At", "-f", str(script), env=env)
        assert again.stdout.startswith("p3|"), again.stderr
        text_sql = windowshop("search", "it's a 100% thing", "--sql", env=env).stdout
        script.write_text(text_sql)
        assert windowshop("db", "psql", "--role", "analyst", "-At", "-f", str(script), env=env).stdout.count("\n") == 10


@pytest.mark.deploy
def test_model_serve_switches_the_model_and_refuses_a_model_without_an_encoder(
    env: dict[str, str], clip_database: Database, tmp_path: Path
) -> None:
    folder = tiny_models.make_siglip(tmp_path / "siglip")
    load_drawings(clip_database, tmp_path / "images", 10)
    added = windowshop("model", "add", str(folder), env=env)
    assert added.returncode == 0, added.stderr
    assert "40 dimensions" in added.stdout
    assert "no encoder is running" in refused("model", "serve", "siglip", env=env, code=3)
    with running_encoder(env, tmp_path / "log"):
        assert windowshop("encode", "--once", "--no-queries", env=env).returncode == 0
        served = windowshop("model", "serve", "siglip", env=env)
        assert served.returncode == 0, served.stderr
        found = windowshop("search", "--image", str(tmp_path / "images" / "4.png"), "-k", "1", "--json", env=env)
        assert json.loads(found.stdout)[0]["sku"] == "p4"
        with clip_database.connect(Role.ANALYST) as conn:
            assert conn.scalar(text("select vector_dims(shop.clip_text('thing'))")) == 40
    listed = windowshop("model", "list", env=env).stdout
    assert "siglip" in listed
    assert "serving" in listed


def test_commands_and_groups_of_commands_have_a_help_text(env: dict[str, str]) -> None:
    for command in (
        (),
        ("db",),
        ("model",),
        ("model", "export"),
        ("load",),
        ("encode",),
        ("search",),
        ("up",),
        ("demo",),
        ("jobs",),
        ("feed",),
        ("watch",),
        ("rule",),
        ("rule", "add"),
        ("signal",),
    ):
        shown = windowshop(*command, "--help", env=env)
        assert shown.returncode == 0
        assert len(shown.stdout) > 200


@pytest.mark.deploy
def test_people_get_logins_and_db_check_shows_their_connection_limits(env: dict[str, str]) -> None:
    added = windowshop("db", "login", "add", "erika", "--connections", "2", env=env)
    assert added.returncode == 0, added.stderr
    try:
        with psycopg.connect(added.stdout.strip()) as conn:
            assert conn.execute("select current_user, count(*) from shop.product").fetchone() == ("erika", 0)
        assert "already exists" in refused("db", "login", "add", "erika", env=env, code=3)
        assert "people cannot have the role owner" in refused(
            "db", "login", "add", "x", "--role", "owner", env=env, code=2
        )
        listed = windowshop("db", "login", "list", env=env).stdout
        assert "erika" in listed
        assert "shop_web_reader" in listed
        checked = windowshop("db", "check", env=env)
        assert checked.returncode == 0, checked.stderr
        assert "people: 2 (erika 2)" in checked.stdout
        person = {**env, "WINDOWSHOP_DATABASE_URL": added.stdout.strip()}
        assert "the login erika does not have the rights of shop_encoder" in refused("retry", env=person, code=3)
        assert "the login erika does not administer this site" in refused("db", "upgrade", env=person, code=3)
    finally:
        assert windowshop("db", "login", "drop", "erika", env=env).returncode == 0
    assert "is not the login of a person" in refused("db", "login", "drop", "shop_loader", env=env, code=2)
