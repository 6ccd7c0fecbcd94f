"""The commands of docs/compose.md back a site up and restore it. The restored site finds the same products, and encodes
no image again.

The tests run the commands as the page shows them, and replace only the time and the name of the dump. The services are
local processes (tests/support/compose).
"""

import os
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from db.embedded.binaries import server_user
from db.embedded.server import Server, binary
from loader.sample import FOLDER
from tests.support.compose.commands import commands, run
from tests.support.compose.files import ROOT
from tests.support.compose.site import Site
from tests.support.processes import wait_until

pytestmark = [pytest.mark.deploy, pytest.mark.soak]

PAGE = ROOT / "docs" / "compose.md"
PRODUCTS = 8
QUERY = "something to sit on"


class Shop:
    """A site with a backup folder, and the API key with which the tests search."""

    def __init__(self, site: Site, key: str) -> None:
        self.site = site
        self._key = {"Authorization": f"Bearer {key}"}

    def search(self, query: str = QUERY) -> dict[str, Any]:
        body = {"query": query, "top_k": PRODUCTS}
        answer = httpx.post(f"{self.site.address}/search/text", json=body, headers=self._key, timeout=60)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def is_complete(self) -> bool:
        """Return whether all products are found by their images."""
        answer = self.search()
        ranks = [result["why"]["image"]["rank"] for result in answer["results"]]
        return len(ranks) == PRODUCTS and None not in ranks and not answer["degraded"]

    def encoded(self) -> float:
        """Return how many titles and images the running encoder has encoded."""
        text = httpx.get(f"http://127.0.0.1:{self.site.ports['encoder']}/metrics", timeout=30).text
        lines = [line for line in text.splitlines() if line.startswith("windowshop_encoder_encoded_total{")]
        assert len(lines) == 2, text
        return sum(float(line.split()[-1]) for line in lines)

    def sql(self, statement: str) -> str:
        password = 'PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")'
        psql = f"{password} psql -h 127.0.0.1 -U postgres -Atc {shlex.quote(statement)} windowshop"
        return run(self.site, f"docker compose exec -T postgres sh -c {shlex.quote(psql)}").strip()


def backup_folder(path: Path) -> dict[str, str]:
    """Create an empty folder for backups, and return the variables that name it."""
    path.mkdir(mode=0o700)
    os.chown(path, server_user().pw_uid, server_user().pw_gid)
    return {"SHOP_BACKUP_FOLDER": str(path), "SHOP_ARCHIVE_MODE": "on"}


@pytest.fixture(scope="module")
def shop(public_folder: Path, server: Server, server_home: Path) -> Iterator[Shop]:
    folder = public_folder / "restored"
    folder.mkdir()
    path, environment = binary(server_home, "postgres")
    site = Site(folder, (path.parent, environment), set())
    site.configure(backup_folder(folder / "backup"))
    try:
        run(site, "docker compose up -d --wait")
        lines = (FOLDER / "products.csv").read_text(encoding="utf-8").splitlines()
        catalog = folder / "volumes" / "catalog"
        (catalog / "products.csv").write_text("\n".join(lines[: PRODUCTS + 1]) + "\n", encoding="utf-8")
        run(site, f"docker compose run --rm cli load /catalog/products.csv --image-root {FOLDER}")
        shop = Shop(site, run(site, "docker compose run --rm admin key create shop-front").strip())
        wait_until(shop.is_complete, 240, "a search that finds all products by their images")
        yield shop
    finally:
        site.stop()


def test_the_commands_restore_the_state_before_a_bad_deletion(shop: Shop) -> None:
    before = shop.search()["results"]
    [_up, base_backup, _dump] = commands(PAGE, "Backup")
    assert run(shop.site, base_backup).strip().startswith(str(shop.site.folder))
    shop.sql("insert into shop.product (product_id, sku, title) values (shop.product_id('late'), 'late', 'late')")
    moment = datetime.now(UTC)
    shop.sql("select pg_sleep(1.1)")
    shop.sql("delete from shop.product")
    assert shop.search()["results"] == []

    *restore, up, copy = commands(PAGE, "Point in time")
    assert sum("2026-05-04 13:59:00+02" in line for line in restore) == 1
    for line in restore:
        run(shop.site, line.replace("2026-05-04 13:59:00+02", moment.isoformat(sep=" ")))
    shop.site.configure(backup_folder(shop.site.folder / "next-backup"))
    run(shop.site, up)
    run(shop.site, copy)

    assert shop.sql("select count(*) from shop.product where sku = 'late'") == "1"
    wait_until(lambda: shop.sql("select count(*) from shop_private.work") == "0", 120, "the late title")
    # Perhaps the title of the late product was not yet encoded at the moment that is restored. No other item is
    # encoded.
    assert shop.encoded() <= 1
    shop.sql("delete from shop.product where sku = 'late'")
    assert shop.search()["results"] == before
    assert not shop.search("a text that nobody has asked before")["degraded"]
    run(shop.site, "docker compose run --rm admin db check")
    copies = list((shop.site.folder / "next-backup" / "base").iterdir())
    assert len(copies) == 1


def test_the_commands_restore_a_dump_into_an_empty_volume(shop: Shop) -> None:
    before = shop.search()["results"]
    [_up, _base_backup, dump] = commands(PAGE, "Backup")
    name = run(shop.site, dump).strip().rpartition("/")[2]
    for line in commands(PAGE, "Another version of PostgreSQL"):
        run(shop.site, line.replace("NAME", name))
    found = shop.search()["results"]
    assert [result["sku"] for result in found] == [result["sku"] for result in before]
    assert [result["score"] for result in found] == pytest.approx([result["score"] for result in before], abs=1e-9)
    assert shop.sql("select count(*) from shop_private.work") == "0"
    assert shop.encoded() == 0
    assert not shop.search("another text that nobody has asked before")["degraded"]
    run(shop.site, "docker compose run --rm admin db check")
