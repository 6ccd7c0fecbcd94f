"""Images are served from below their image root only."""

import os
from io import BytesIO
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from PIL import Image
from sqlalchemy import text

from db.engine import Database
from db.images.files import NotServed, kind_of, read_picture
from db.images.thumbnails import thumbnail
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
def test_a_thumbnail_fits_the_next_larger_size(client: httpx.Client, size: int, shown: tuple[int, int]) -> None:
    for _ in range(2):  # made, then kept
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


def test_a_file_that_became_something_else_is_not_served(
    serve: Serve, own_database: Database, public_folder: Path
) -> None:
    """Neither the row in the database nor the file on disk is trusted."""
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


@pytest.mark.parametrize(
    "uri", ["../secret", "a/../../secret", "/etc/passwd", "", ".", "a\0b", "x" * 5000, "%2e%2e/secret"]
)
def test_a_path_out_of_the_root_is_not_read(tmp_path: Path, uri: str) -> None:
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(PNG)
    with pytest.raises(NotServed):
        read_picture(str(tmp_path / "root"), uri)


def test_a_link_within_the_root_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "real.png").write_bytes(PNG)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_picture(str(tmp_path), "link/real.png") == PNG


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"%PDF-1.7", b"II*\0", b"RIFF1234WAVE", b"%!PS"])
def test_only_formats_of_browsers_are_images(content: bytes) -> None:
    with pytest.raises(NotServed):
        kind_of(content)


def test_a_decompression_bomb_is_not_decoded() -> None:
    made = BytesIO()
    Image.new("1", (10_000, 10_000)).save(made, "PNG")
    with pytest.raises(NotServed):
        thumbnail(made.getvalue(), 64)
