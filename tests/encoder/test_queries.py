"""A running encoder turns a text or an image in an SQL statement into a vector. Empty texts, inputs that are too large
and bytes that are not an image are refused. Without an encoder, the statement fails with a hint."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Connection, text

from db.engine import Database
from db.errors import EncoderUnavailable, StatementRefused
from db.roles import Role
from tests.support.processes import running_encoder, wait_until
from tests.support.timing import quickest

Environment = Callable[[Database], dict[str, str]]


def clip_text(database: Database, query: str) -> str:
    with database.connect(Role.ANALYST, read=True) as conn:
        return str(conn.scalar(text("select shop.clip_text(:query)"), {"query": query}))


def test_a_text_is_encoded_by_the_running_encoder_and_cached(
    clip_database: Database, environment: Environment, tmp_path: Path
) -> None:
    with running_encoder(environment(clip_database), tmp_path / "log"):
        first = clip_text(clip_database, "black leather backpack")
    # No encoder is running now, so the vector comes from the cache.
    assert clip_text(clip_database, "black leather backpack") == first
    with clip_database.connect(Role.APP) as conn:
        assert conn.execute(text("select query, asked from shop.popular_queries")).all() == [
            ("black leather backpack", 1)
        ]


def test_without_an_encoder_the_error_comes_within_1_5_seconds_and_names_the_command(clip_database: Database) -> None:
    def fail() -> None:
        with pytest.raises(EncoderUnavailable, match="no encoder is connected") as raised:
            clip_text(clip_database, "never asked")
        assert raised.value.sqlstate == "WS001"
        assert "windowshop encode" in (raised.value.hint or "")

    assert quickest(1.5, fail) < 1.5


@pytest.mark.parametrize("query", ["", "   ", "\n\t"])
def test_an_empty_text_is_refused(clip_database: Database, query: str) -> None:
    with pytest.raises(StatementRefused, match="empty"):
        clip_text(clip_database, query)


def test_a_text_over_ten_thousand_characters_is_refused(clip_database: Database) -> None:
    with pytest.raises(StatementRefused, match="too long"):
        clip_text(clip_database, "x" * 10_001)
    with clip_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop_private.request")) == 0


def test_an_image_over_ten_megabytes_is_refused(clip_database: Database) -> None:
    with clip_database.connect(Role.ANALYST) as conn, pytest.raises(StatementRefused, match="too large"):
        conn.execute(text("select shop.clip_image(:image)"), {"image": bytes(10 * 1024 * 1024 + 1)})


def test_bytes_that_are_not_an_image_are_refused_and_a_region_has_its_own_vector(
    clip_database: Database, environment: Environment, tmp_path: Path
) -> None:
    with (
        running_encoder(environment(clip_database), tmp_path / "log"),
        clip_database.connect(Role.ANALYST) as conn,
    ):
        with pytest.raises(EncoderUnavailable, match="not an image") as raised:
            conn.execute(text("select shop.clip_image(:image)"), {"image": b"<html>no image</html>"})
        assert raised.value.sqlstate == "WS003"
        conn.rollback()
        assert conn.scalar(text("select shop.clip_text('the session still works')")) is not None
        _check_regions(conn)


def _check_regions(conn: Connection) -> None:
    """Checks that a region of an image gets the vector of the cropped image, and that a region that covers the whole
    image gets the vector of the image."""
    drawing = Image.effect_noise((120, 80), 100).convert("RGB")
    files = []
    for image in (drawing, drawing.crop((30, 20, 90, 80))):
        buffer = BytesIO()
        image.save(buffer, "PNG")
        files.append(buffer.getvalue())
    whole, part = files
    given = {"whole": whole, "part": part}
    row = conn.execute(
        text(
            "select shop.clip_image(:whole)::text, shop.clip_image(:part)::text, "
            "shop.clip_image(:whole, image_box => '{0.25, 0.25, 0.5, 0.75}')::text, "
            "shop.clip_image(:whole, image_box => '{0, 0, 1, 1}')::text"
        ),
        given,
    ).one()
    assert row[2] == row[1] != row[0] == row[3]
    assert conn.scalar(text("select shop.clip_image(null, '{0,0,1,1}')")) is None
    with pytest.raises(EncoderUnavailable, match="the box has no pixel of the image, which has 120 x 80 pixels"):
        conn.execute(text("select shop.clip_image(:whole, '{0.5, 0.5, 0.001, 0.001}')"), given)
    conn.rollback()


@pytest.mark.soak
def test_another_encoder_answers_after_an_encoder_is_killed(
    clip_database: Database, environment: Environment, tmp_path: Path
) -> None:
    with running_encoder(environment(clip_database), tmp_path / "one") as one:
        clip_text(clip_database, "a")
        with running_encoder(environment(clip_database), tmp_path / "two"):
            one.kill()
            one.wait()
            assert clip_text(clip_database, "b")
    wait_until(lambda: _refused(clip_database), 60, "the error after the last encoder has ended")


def _refused(database: Database) -> bool:
    try:
        clip_text(database, "c")
    except EncoderUnavailable:
        return True
    return False
