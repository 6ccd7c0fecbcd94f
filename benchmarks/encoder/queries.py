"""Measures how much longer SQL takes to encode a query text than the exported model alone takes in ONNX Runtime. Also
measures how long SQL takes if the vector is in the cache. SQL is measured in one session, in 32 sessions at the same
time, and while the catalog is encoded.

The baseline calls the model directly in this process, on texts of the same kind, in turns with the SQL statements.
Sessions are psycopg connections with the login web_reader.
"""

import random
import threading
import time

import psycopg

from benchmarks.encoder.lane import export_starter
from benchmarks.support.report import Line, keep, milliseconds, quantile
from benchmarks.support.site import Site, encoder, site
from db.roles import Role
from encoder.models.loading import load, model_threads
from encoder.service import load_models
from encoder.settings import EncoderSettings

COLORS = "red blue green black white brown yellow grey pink orange purple beige".split()  # noqa: SIM905  a list would be longer
MATERIALS = [
    "leather",
    "wooden",
    "cotton",
    "steel",
    "plastic",
    "glass",
    "silver",
    "denim",
    "wool",
    "ceramic",
    "paper",
    "rubber",
]
THINGS = [
    "backpack",
    "chair",
    "shoe",
    "lamp",
    "guitar",
    "bottle",
    "cup",
    "car",
    "shirt",
    "clock",
    "table",
    "phone",
    "knife",
    "hat",
    "ball",
]


def spread(seconds: list[float]) -> str:
    return f"{milliseconds(quantile(seconds, 0.5))} / {milliseconds(quantile(seconds, 0.95))}"


class Texts:
    """Query texts that never repeat."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        pick = self._random.choice
        return f"{pick(COLORS)} {pick(MATERIALS)} {pick(THINGS)} number {self._count}"


def ask(conn: psycopg.Connection[tuple[object]], text: str) -> float:
    started = time.perf_counter()
    # The vector stays in the server, as it does in ORDER BY.
    conn.execute("select vector_dims(shop.clip_text(%s))", (text,))
    return time.perf_counter() - started


def session(measured: Site) -> psycopg.Connection[tuple[object]]:
    address = measured.database.url(Role.WEB_READER).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True)


def throughput(measured: Site, sessions: int, total: int, texts: Texts) -> float:
    """Returns how many distinct texts a second are encoded for `sessions` sessions at the same time. Each session first
    encodes one text that is not measured."""
    connections = [session(measured) for _ in range(sessions)]
    for conn in connections:
        ask(conn, texts())
    lists = [[texts() for _ in range(total // sessions)] for _ in connections]
    threads = [
        threading.Thread(target=lambda c=conn, mine=mine: [ask(c, text) for text in mine])
        for conn, mine in zip(connections, lists, strict=True)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    for conn in connections:
        conn.close()
    return total / elapsed


def run(count: int = 300) -> None:
    texts = Texts(1)
    model_threads("cpu")  # limits torch to one thread, as the encoder does
    torch_model = load("starter")
    torch_model.warm_up()
    with site() as measured:
        export_starter(measured)
        settings = EncoderSettings(device="cpu", engine="onnx", exports=measured.settings.home / "exports")
        (model,) = load_models(measured.database, settings).values()
        model.warm_up()
        measured.load_images(1242)
        with encoder(measured, {"WINDOWSHOP_ENCODER_ENGINE": "onnx", "WINDOWSHOP_ENCODER_DEVICE": "cpu"}):
            while measured.left():
                time.sleep(0.5)
            with session(measured) as conn:
                for _ in range(20):
                    ask(conn, texts())
                    model.encode_texts([texts()])
                own: list[float] = []
                in_torch: list[float] = []
                miss, hit_after_miss, asked = [], [], []
                for _ in range(count):
                    for each, taken in ((model, own), (torch_model, in_torch)):
                        started = time.perf_counter()
                        each.encode_texts([texts()])
                        taken.append(time.perf_counter() - started)
                    text = texts()
                    miss.append(ask(conn, text))
                    hit_after_miss.append(ask(conn, text))
                    asked.append(text)
                hit = [ask(conn, text) for text in asked]
            alone = throughput(measured, 1, 200, texts)
            together = throughput(measured, 32, 1600, texts)
            measured.forget_vectors()
            busy: list[float] = []
            time.sleep(2)
            with session(measured) as conn:
                while len(busy) < count and measured.left():
                    busy.append(ask(conn, texts()))
                    time.sleep(0.02)
            encoding = measured.left() > 0
    above = quantile(miss, 0.5) - quantile(own, 0.5)
    lines = [
        Line("the model's own compute in ONNX Runtime, one text, p50", milliseconds(quantile(own, 0.5))),
        Line("the model's own compute in torch, one text, p50", milliseconds(quantile(in_torch, 0.5))),
        Line("SQL cache miss, catalog lane idle, p50 / p95", spread(miss)),
        Line("SQL cache miss beyond the model's own compute, p50", milliseconds(above), "<= 3 ms", above <= 0.003),
        Line(
            "SQL cache hit, one after the other, p50",
            milliseconds(quantile(hit, 0.5)),
            "<= 0.3 ms",
            quantile(hit, 0.5) <= 0.0003,
        ),
        Line("SQL cache hit, each right after a miss, p50", milliseconds(quantile(hit_after_miss, 0.5))),
        Line(
            f"SQL cache miss while the catalog is encoded, p50 / p95 ({len(busy)} texts)",
            spread(busy),
            "p95 <= 300 ms",
            quantile(busy, 0.95) <= 0.3,
        ),
        Line("one session, distinct texts", f"{alone:.0f}/s"),
        Line(
            "32 sessions, distinct texts",
            f"{together:.0f}/s = {together / alone:.1f} x one session",
            ">= 3 x",
            together >= 3 * alone,
        ),
    ]
    raw = {
        "own": own,
        "in_torch": in_torch,
        "miss": miss,
        "hit": hit,
        "hit_after_miss": hit_after_miss,
        "busy": busy,
        "alone": alone,
        "together": together,
    }
    keep("queries", "Query texts in SQL (starter)", lines, {**raw, "still_encoding_at_the_end": encoding})
