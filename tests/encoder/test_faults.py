"""One run of the encoder meets bad images, decoders that crash or hang, and too little memory.

After the run, every good image has a vector, and every bad image is quarantined with the reason.
"""

import random
import threading
from pathlib import Path

import pytest
import torch
from sqlalchemy import text

from db.engine import Database
from db.images import decode_worker
from db.roles import Role
from db.work import items as work
from encoder import service
from encoder.models.loading import Features, Model, Vectors, load
from encoder.settings import EncoderSettings
from tests.support import crashing_decoder
from tests.support.images import draw, load_drawings

POISON = {  # maps the reason of a rejection to the content of a bad image
    "not an image": b"<html>not found</html>",
    "0 bytes": b"",
    "ended the decoder (SIGSEGV)": crashing_decoder.CRASHES,
    "took too long": crashing_decoder.HANGS,
}


@pytest.mark.parametrize(
    ("count", "encoding"),
    [
        pytest.param(120, EncoderSettings(image_batch=32, decode_seconds=2, device="cpu"), id="120"),
        pytest.param(
            5_000, EncoderSettings(image_batch=64, decode_seconds=2, device="cpu"), id="5000", marks=pytest.mark.soak
        ),
    ],
)
def test_every_good_image_is_encoded_and_every_bad_image_is_quarantined_with_its_reason(
    clip_database: Database,
    clip_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    encoding: EncoderSettings,
) -> None:
    folder = tmp_path / "images"
    load_drawings(clip_database, folder, count)
    chance = random.Random(count)
    poisoned = chance.sample(range(count), max(len(POISON), count // 100))
    reasons = {}
    for place, number in enumerate(poisoned):
        # Only one image hangs the decoder, because each such image takes `decode_seconds`.
        reason = list(POISON)[place % 3 if place >= len(POISON) else place]
        (folder / f"{number}.png").write_bytes(POISON[reason])
        reasons[f"p{number}"] = reason
    monkeypatch.setattr(decode_worker, "decode_all", crashing_decoder.decode_all)
    ran_out = run_out_of_memory(monkeypatch, chance)

    encode_all(clip_database, clip_folder, encoding)

    assert ran_out[0] > 0
    good = count - len(poisoned)
    with clip_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop.clip_image")) == good
        assert conn.scalar(text("select count(*) from shop.clip_title")) == count
        assert conn.scalar(text("select max(attempts) from shop_private.work")) <= 3
        assert conn.scalar(text("select count(*) from shop_private.work where state <> 'quarantined'")) == 0
        named = dict(conn.execute(text("select sku, error from shop.quarantine")).all())
    assert set(named) == set(reasons)
    assert [sku for sku, reason in reasons.items() if reason not in named[sku]] == []

    for number in poisoned:
        draw(folder / f"{number}.png", number)
    with clip_database.connect(Role.ENCODER) as conn, conn.begin():
        assert work.retry(conn, 1) == len(poisoned)
    encode_all(clip_database, clip_folder, encoding)
    with clip_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop.clip_image")) == count
        assert conn.scalar(text("select count(*) from shop_private.work")) == 0


def encode_all(database: Database, folder: Path, settings: EncoderSettings) -> None:
    service.run(database, {1: load(str(folder))}, settings, stop=threading.Event(), once=True, queries=False)


def run_out_of_memory(monkeypatch: pytest.MonkeyPatch, chance: random.Random) -> list[int]:
    """Makes forward passes with several inputs run out of memory: the first, and each later one with probability 0.05.

    Returns a list with the number of failed passes.
    """
    forward, failed, guard = Model.forward, [0], threading.Lock()

    def sometimes(model: Model, features: Features) -> Vectors:
        several = any(isinstance(value, torch.Tensor) and len(value) > 1 for value in features.values())
        with guard:
            if several and (failed[0] == 0 or chance.random() < 0.05):
                failed[0] += 1
                raise torch.OutOfMemoryError("injected")
        return forward(model, features)

    monkeypatch.setattr(Model, "forward", sometimes)
    return failed
