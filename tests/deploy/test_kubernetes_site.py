"""The containers of the overlay `small` run as local processes, wait for the migration, and answer a search. In the
overlay `ha`, the process `web` searches through the pooler."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from db.embedded.server import Server, binary
from loader.sample import FOLDER
from tests.support.kubernetes.site import KubernetesSite, running
from tests.support.processes import wait_until

pytestmark = pytest.mark.deploy

PRODUCTS = 5


@pytest.fixture(scope="module")
def site(public_folder: Path, server: Server, server_home: Path) -> Iterator[KubernetesSite]:
    folder = public_folder / "kubernetes"
    folder.mkdir()
    path, environment = binary(server_home, "postgres")
    with running("small", folder, (path.parent, environment)) as site:
        yield site


def test_all_containers_start_at_once_and_wait_for_the_migration(site: KubernetesSite) -> None:
    """This test is the first one of the module, because it starts the site."""
    for name in ("web", "encoder", "jobs", "migrate"):
        site.start(name)
    wait_until(
        lambda: "waiting: " in site.log("web") + site.log("encoder"), 60, "a process that waits for the database"
    )
    site.start_postgres()
    assert site.running["migrate"].wait(240) == 0, site.log("migrate")
    for name in ("web", "encoder", "jobs"):
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            site.wait_for(name, probe)


def test_the_toolbox_loads_a_catalog_and_a_search_with_a_key_finds_its_products(site: KubernetesSite) -> None:
    lines = (FOLDER / "products.csv").read_text(encoding="utf-8").splitlines()
    feed = site.folder / "products.csv"
    feed.write_text("\n".join(lines[: PRODUCTS + 1]) + "\n", encoding="utf-8")
    site.execute("toolbox", "cli", "windowshop", "load", str(feed), "--image-root", str(FOLDER))
    key = site.execute("toolbox", "admin", "windowshop", "key", "create", "shop-front")
    body = {"query": "something to sit on", "top_k": PRODUCTS}
    with httpx.Client(base_url=site.address("web", "http"), timeout=60) as client:
        assert client.post("/search/text", json=body).status_code == 401

        def found_by_images() -> bool:
            answer = client.post("/search/text", json=body, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == 200, answer.text
            ranks = [result["why"]["image"]["rank"] for result in answer.json()["results"]]
            return len(ranks) == PRODUCTS and None not in ranks and not answer.json()["degraded"]

        wait_until(found_by_images, 240, "a search that finds all products by their images")


def test_every_process_uses_its_own_login_over_tls(site: KubernetesSite) -> None:
    script = (
        "import psycopg, os; url = open(os.environ['WINDOWSHOP_DATABASE_URL_FILE']).read();"
        "print(*sorted({f'{login}:{tls}' for login, tls in psycopg.connect(url).execute('select usename, ssl from "
        "pg_stat_activity join pg_stat_ssl using (pid) where client_addr is not null')}))"
    )
    if not site.has_tls:
        script = script.replace("select usename, ssl from", "select usename, true from")
    logins = site.execute("toolbox", "admin", "python", "-c", script).split()
    assert {"shop_encoder:True", "shop_jobs:True", "shop_web_reader:True", "shop_web_writer:True"} <= set(logins)
    assert [login for login in logins if login.endswith(":False")] == []


def test_the_metrics_that_the_autoscalers_read_are_at_the_port_http_metrics(site: KubernetesSite) -> None:
    for name, metric in (("web", "windowshop_http_open_requests "), ("encoder", "windowshop_work_oldest_seconds ")):
        text = httpx.get(site.address(name, "http-metrics") + "/metrics", timeout=30).text
        assert f"\n{metric}" in text


def test_processes_stop_within_their_grace_period(site: KubernetesSite) -> None:
    """This test is the last one of the overlay `small`, because it stops the site."""
    for name in ("web", "encoder", "jobs"):
        code, seconds = site.stop(name)
        assert code == 0, site.log(name)
        assert seconds < site.pods[name].spec["terminationGracePeriodSeconds"]


@pytest.mark.soak
def test_in_the_overlay_ha_the_process_web_searches_through_the_pooler(
    public_folder: Path, server: Server, server_home: Path
) -> None:
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed; it is in Debian's package pgbouncer")
    if not KubernetesSite("ha", public_folder, (binary(server_home, "postgres")[0].parent, {})).has_tls:
        pytest.skip("this build of PostgreSQL has no TLS")
    folder = public_folder / "kubernetes-ha"
    folder.mkdir()
    path, environment = binary(server_home, "postgres")
    with running("ha", folder, (path.parent, environment)) as site:
        site.start_postgres()
        site.start("migrate")
        assert site.running["migrate"].wait(240) == 0, site.log("migrate")
        site.start_pooler(program)
        site.start("web")
        site.wait_for("web", "readinessProbe")
        feed = folder / "products.csv"
        feed.write_text("sku,title\n1,Red armchair\n2,Blue lamp\n", encoding="utf-8")
        site.execute("toolbox", "cli", "windowshop", "load", str(feed))
        key = site.execute("toolbox", "admin", "windowshop", "key", "create", "shop-front")
        with httpx.Client(base_url=site.address("web", "http"), timeout=60) as client:
            body, headers = {"query": "armchair", "top_k": 1}, {"Authorization": f"Bearer {key}"}
            answers = [client.post("/search/text", json=body, headers=headers) for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}, answers[0].text
        assert {answer.json()["results"][0]["sku"] for answer in answers} == {"1"}
