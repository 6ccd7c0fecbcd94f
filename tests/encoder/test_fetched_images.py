"""A feed whose images are on the web is loaded and encoded, and a search finds its products."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from tests.support.processes import running_encoder, wait_until, windowshop
from tests.support.scripted_server import redirect, response, scripted_server


def png(color: str) -> bytes:
    image = Image.new("RGB", (48, 48), "white")
    ImageDraw.Draw(image).rectangle((8, 8, 30, 40), fill=color)
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_the_images_of_a_feed_are_fetched_and_found_and_a_dead_link_can_be_repaired(
    clip_database: Database, environment: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    with scripted_server() as site:
        site.answers = {
            "/red.png": response(png("red")),
            "/blue.png": response(png("blue")),
            "/moved.png": redirect("/blue.png"),
            "/inside.png": redirect("http://169.254.169.254/latest/meta-data/"),
        }
        feed = tmp_path / "feed.tsv"
        feed.write_text(
            "id\ttitle\timage_link\tadditional_image_link\n"
            f"red\tred thing\t{site.url('/red.png')}\t\n"
            f"blue\tblue thing\t{site.url('/blue.png')}\t{site.url('/moved.png')},{site.url('/red.png')}\n"
            f"dead\tdead link\t{site.url('/dead.png')}\t\n"
            f"inside\tinner link\t{site.url('/inside.png')}\t\n"
            "private\tprivate link\thttp://10.0.0.1/a.png\t\n"
            "store\tin a store\ts3://images/a.png\t\n"
            "file\ta file\tfile:///etc/passwd\t\n"
        )
        env = environment(clip_database) | {
            "WINDOWSHOP_ENCODER_FETCH_NETWORKS": "127.0.0.0/8",
            "WINDOWSHOP_ENCODER_FETCH_PORTS": str(site.port),
        }
        rejects = str(tmp_path / "rejects.csv")
        loaded = windowshop("load", str(feed), "--format", "merchant", "--strict", "--rejects", rejects, env=env)
        assert loaded.returncode == 6, loaded.stderr  # only the row with a file: address is rejected
        assert "6 new" in " ".join((loaded.stdout + loaded.stderr).split())
        encoded = windowshop("encode", "--once", env=env)
        assert encoded.returncode == 0, encoded.stderr

        with clip_database.connect(Role.ANALYST) as conn:
            reasons = dict(conn.execute(text("select sku, error from shop.quarantine")).all())
            counted = conn.execute(text("select sku, count(*) from shop.searchable_image group by sku")).all()
        assert dict(counted) == {"red": 1, "blue": 3}
        assert set(reasons) == {"dead", "inside", "private", "store"}
        assert "the server answers 404" in reasons["dead"]
        assert "not public" in reasons["inside"]
        assert "not public" in reasons["private"]
        assert "WINDOWSHOP_ENCODER_OBJECT_STORES" in reasons["store"]

        site.answers["/dead.png"] = response(png("green"))
        assert windowshop("retry", env=env).stdout.startswith("4 items")
        with running_encoder(env, tmp_path / "log"), clip_database.connect(Role.ANALYST) as conn:
            conn.execute(text("set shop.timeout_ms = 20000"))
            found = text("select sku from shop.search(image => :image, k => 1)")
            assert conn.scalar(found, {"image": png("red")}) == "red"
            fixed = text("select count(*) from shop.searchable where sku = 'dead'")
            wait_until(lambda: conn.scalar(fixed) == 1, 60, "the vector of the fixed image")
            assert conn.scalar(found, {"image": png("green")}) == "dead"
