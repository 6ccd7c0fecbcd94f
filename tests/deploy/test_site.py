"""The commands of compose.yaml start a site that answers a search. Each process stops within its grace period, and the
database stops last."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from db.embedded.server import Server, binary
from loader.sample import FOLDER
from tests.support.compose.files import read_compose, read_stages
from tests.support.compose.site import Site, running
from tests.support.processes import wait_until

pytestmark = pytest.mark.deploy

PRODUCTS = 5


@pytest.fixture(scope="module")
def site(public_folder: Path, server: Server, server_home: Path) -> Iterator[Site]:
    folder = public_folder / "compose"
    folder.mkdir()
    path, environment = binary(server_home, "postgres")
    with running(folder, (path.parent, environment)) as site:
        yield site


def test_a_fresh_site_answers_a_search_after_a_load(site: Site) -> None:
    lines = (FOLDER / "products.csv").read_text(encoding="utf-8").splitlines()
    catalog = site.folder / "volumes" / "catalog"
    (catalog / "products.csv").write_text("\n".join(lines[: PRODUCTS + 1]) + "\n", encoding="utf-8")
    loaded = site.run("cli", "load", "/catalog/products.csv", "--image-root", str(FOLDER))
    assert loaded.returncode == 0, loaded.stderr
    created = site.run("admin", "key", "create", "shop-front")
    assert created.returncode == 0, created.stderr
    key = {"Authorization": f"Bearer {created.stdout.strip()}"}

    with httpx.Client(base_url=site.address, timeout=60) as client:
        body = {"query": "something to sit on", "top_k": PRODUCTS}
        assert client.post("/search/text", json=body).status_code == 401

        def found_by_images() -> bool:
            answer = client.post("/search/text", json=body, headers=key)
            assert answer.status_code == 200, answer.text
            ranks = [result["why"]["image"]["rank"] for result in answer.json()["results"]]
            return len(ranks) == PRODUCTS and None not in ranks and not answer.json()["degraded"]

        wait_until(found_by_images, 240, "a search that finds all products by their images")


def test_db_check_passes_and_the_service_cli_may_not_list_keys(site: Site) -> None:
    checked = site.run("admin", "db", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    refused = site.run("cli", "key", "list")
    assert refused.returncode != 0


@pytest.mark.soak
def test_the_service_admin_writes_exports_to_the_folder_that_encoders_read(site: Site) -> None:
    exported = site.run("admin", "model", "export", "starter")
    assert exported.returncode == 0, exported.stderr
    volume, folder = site.folder / "volumes" / "models", "/var/cache/windowshop"
    assert f"models:{folder}" in read_compose()["services"]["encoder"]["volumes"]
    exports = Path(read_stages()["encoder-cpu"].environment["WINDOWSHOP_ENCODER_EXPORTS"])
    [_] = (volume / exports.relative_to(folder)).glob("*/export.json")


def test_a_second_start_replaces_only_a_deleted_password(site: Site) -> None:
    """Each `docker compose up` runs the services `passwords` and `migrate` again. The other services keep running."""
    logins = site.folder / "volumes" / "logins"
    before = {path.name: path.read_text() for path in logins.iterdir()}
    (logins / "loader").unlink()
    assert site.run("passwords").returncode == 0
    after = {path.name: path.read_text() for path in logins.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"loader"}
    assert site.run("cli", "catalog", "list").returncode != 0  # the database has the old password until `migrate` runs
    migrated = site.run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    listed = site.run("cli", "catalog", "list")
    assert listed.returncode == 0, listed.stderr
    assert site.is_healthy("web")


def test_processes_stop_before_the_database_and_within_their_grace_period(site: Site) -> None:
    """This test is the last one of the module, because it stops the site."""
    stopped = site.stop()
    assert {one.name for one in stopped} == {"web", "encoder", "jobs", "postgres"}
    assert stopped[-1].name == "postgres"
    assert [one.name for one in stopped if not one.in_time or one.code != 0] == []
