"""An image is served only from below its image root. Decoder processes, not the web process, render thumbnails."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import pytest
from PIL import Image
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from tests.support.web_service import Serve

PNG = b"\x89PNG\r\n\x1a\n"


def address(client: httpx.Client, sku: str = "sku 7") -> str:
    found: str = client.get(f"/products/{sku}").json()["pictures"][0]["url"]
    return found


def test_an_image_is_served_unchanged(client: httpx.Client, image_folder: Path) -> None:
    answer = client.get(address(client))
    assert answer.content == (image_folder / "7.png").read_bytes()
    assert answer.headers["content-type"] == "image/png"
    assert "max-age" in answer.headers["cache-control"]
    again = client.get(address(client), headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(("size", "shown"), [(1, (64, 43)), (200, (256, 171)), (1024, (300, 200))])
def test_the_size_of_a_thumbnail_is_rounded_up_and_at_most_the_size_of_the_image(
    client: httpx.Client, size: int, shown: tuple[int, int]
) -> None:
    for _ in range(2):  # the service renders the first answer and takes the second from memory
        answer = client.get(address(client), params={"position": 0, "size": size})
        assert answer.headers["content-type"] == "image/webp"
        assert Image.open(BytesIO(answer.content)).size == shown


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/images/{UUID(int=0)}", 404),
        ("/images/1", 404),
        ("/images/..%2f..%2fetc%2fpasswd", 404),
        (f"/images/{UUID(int=0)}?size=0", 422),
        (f"/images/{UUID(int=0)}?size=2000", 422),
        (f"/images/{UUID(int=0)}?position=-1", 422),
        (f"/images/{UUID(int=0)}?position=100", 422),
    ],
)
def test_an_invalid_image_address_is_refused(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_path_to_anything_but_an_image_below_the_root_gets_404(
    serve: Serve, own_database: Database, public_folder: Path
) -> None:
    """The row of an image may contain any text as its path, and the path may lead to a link, a pipe or another file."""
    root = public_folder / "hostile"
    root.mkdir()
    secret = public_folder / "secret.png"
    secret.write_bytes(PNG + b"secret")
    (root / "link.png").symlink_to(secret)
    (root / "page.png").write_text("<html><script>alert(1)</script>")
    (root / "half.png").write_bytes(PNG + b"nothing")
    os.mkfifo(root / "pipe.png")
    with own_database.connect(Role.APP) as conn, conn.begin():
        conn.execute(text("select shop_private.image_root_id(:folder)"), {"folder": str(root)})
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("update shop.product_image set image_root_id = (select max(image_root_id) from "
                          "shop_private.image_root)"))  # fmt: skip
    with serve(own_database) as client:
        for name in ("link.png", "page.png", "pipe.png", "missing.png", "half.png", "folder/../link.png"):
            with own_database.connect(None) as conn, conn.begin():
                conn.execute(text("alter table shop.product_image drop constraint if exists product_image_uri_check"))
                conn.execute(text("update shop.product_image set uri = :name"), {"name": name})
            answer = client.get(address(client), params={"position": 0, "size": 64})
            assert answer.status_code == 404, name
            assert "hostile" not in answer.text


# --- the decoder processes


def decoders() -> list[psutil.Process]:
    """Returns the decoder processes that belong to this process, in which the service runs."""
    children = psutil.Process().children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@pytest.fixture
def own_client(serve: Serve) -> Iterator[httpx.Client]:
    """Yields a client of a service that has no thumbnails in memory."""
    with serve() as client:
        yield client


@pytest.mark.soak
def test_at_most_one_thumbnail_fails_when_decoders_are_killed(own_client: httpx.Client) -> None:
    before = {child.pid for child in decoders()}
    addresses = [address(own_client, f"sku {number}") for number in range(1, 21)]
    assert own_client.get(addresses[0], params={"size": 64}).status_code == 200
    mine = [child for child in decoders() if child.pid not in before]
    assert mine
    for child in mine:
        child.send_signal(signal.SIGKILL)
    assert own_client.get(addresses[1], params={"size": 64}).status_code == 200
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(own_client.get, each, params={"size": 1024}) for each in addresses]
        for child in [child for child in decoders() if child.pid not in before][:1]:
            child.send_signal(signal.SIGKILL)
        statuses = [each.result().status_code for each in answers]
    assert statuses.count(200) >= len(statuses) - 1
    assert own_client.get(addresses[0], params={"size": 256}).status_code == 200


def test_a_stopped_service_leaves_no_decoder_behind(serve: Serve) -> None:
    before = {child.pid for child in decoders()}
    with serve() as client:
        client.get(address(client), params={"size": 64})
        assert {child.pid for child in decoders()} - before
    assert {child.pid for child in decoders()} <= before
