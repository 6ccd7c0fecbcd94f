"""Measures how much two faults slow encoding down: a kill of the encoder, and images at addresses that do not answer.

`windowshop encode` runs as a process, with the starter model. After the kill, a new process starts, as a supervisor
would start it. A third of the addresses lead to a server on this machine that accepts connections and stays silent. At
another third, no server listens. The other addresses have host names that do not exist.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median

from sqlalchemy import text

from benchmarks.encoder.drawn import draw_all
from benchmarks.support.report import Line, keep
from benchmarks.support.site import Site, encoder, site
from db.catalog.product import Image, Product
from db.catalog.store import staging, upsert
from db.roles import Role

ROUNDS = 5
LOCAL, UNREACHABLE = 30, 300  # number of images in files, and number of images at addresses that do not answer
SIDE = 320  # longer side of an image, in pixels
SECONDS = 30.0  # time over which a rate is measured
RECOVERY = 60.0  # seconds between the kill and the second measurement


def run(count: int = 9_000) -> None:
    with site() as measured:
        before, after = killed(measured, count)
    with site() as measured:
        alone, beside = unreachable_addresses(measured)
    ratio, delay = after / before, median(beside) / median(alone)
    lines = [
        Line(f"images/s before the kill / {RECOVERY:g} s after the kill", f"{before:.1f} / {after:.1f}"),
        Line("rate after the kill against the rate before", f"{ratio:.0%}", ">= 90%", ratio >= 0.9),
        Line(
            f"seconds until {LOCAL} images in files are encoded, alone / with {UNREACHABLE} images at dead addresses",
            f"{median(alone):.2f} / {median(beside):.2f}",
        ),
        Line("time with dead addresses against time alone", f"{delay:.2f} x", "<= 1.2 x", delay <= 1.2),
    ]
    keep("faults", "Faults of the encoder (starter, CPU)", lines, {"alone": alone, "beside": beside})


def killed(measured: Site, count: int) -> tuple[float, float]:
    """Returns how many images per second are encoded before an encoder is killed, and `RECOVERY` seconds after the
    kill."""
    _load_drawn(measured, count)
    with encoder(measured) as first:
        while _waiting(measured, "title"):
            time.sleep(0.5)
        before = _rate(measured)
        first.kill()
        first.wait()
        died = time.monotonic()
    with encoder(measured):
        time.sleep(max(0.0, RECOVERY - (time.monotonic() - died)))
        after = _rate(measured)
    return before, after


def _load_drawn(measured: Site, count: int) -> None:
    """Add `count` products with distinct images, because the encoder encodes equal images only once."""
    folder = measured.settings.home.parent / "images"
    folder.mkdir()
    folder.chmod(0o755)
    names = [f"{number}.jpg" for number in range(count)]
    draw_all([folder / name for name in names], SIDE)
    with measured.database.connect(Role.APP) as conn, conn.begin():
        with staging(conn) as stage:
            for name in names:
                stage(Product(name, f"drawing {name}", images=(Image(name),)))
        upsert(conn, image_root=folder)


def unreachable_addresses(measured: Site) -> tuple[list[float], list[float]]:
    """Returns how many seconds it takes to encode the images in files, in two lists with a time for each round. In the
    rounds of the first list, there are no other images. In the rounds of the second list, there are also images whose
    addresses do not answer."""
    alone: list[float] = []
    beside: list[float] = []
    with _silent_server() as port:
        env = {"WINDOWSHOP_ENCODER_FETCH_NETWORKS": "127.0.0.0/8", "WINDOWSHOP_ENCODER_FETCH_PORTS": f"{port},9"}
        unreachable = [_unreachable_address(number, port) for number in range(UNREACHABLE)]
        measured.load_images(LOCAL)
        with encoder(measured):
            while measured.left():
                time.sleep(0.1)
        for _ in range(ROUNDS):
            for times, addresses in ((alone, [None] * UNREACHABLE), (beside, unreachable)):
                _set_remote(measured, addresses)
                measured.forget_vectors(titles=False)
                with ExitStack() as stack:
                    began = time.monotonic()
                    stack.enter_context(encoder(measured, env))
                    ready = time.monotonic()
                    while _waiting(measured, "image", local=True):
                        time.sleep(0.02)
                    times.append(time.monotonic() - ready)
                    print(f"{addresses[0]}: ready after {ready - began:.1f} s, then {times[-1]:.2f} s")
    return alone, beside


def _unreachable_address(number: int, port: int) -> str:
    kinds = (
        f"127.1.{number // 250}.{number % 250 + 1}:{port}",
        f"127.2.0.{number % 250 + 1}:9",
        f"host{number}.invalid",
    )
    return f"http://{kinds[number % 3]}/{number}.jpg"


def _set_remote(measured: Site, addresses: Sequence[str | None]) -> None:
    """Replace the products whose images are not in files. Each of `addresses` gets a product. The product of the
    address None has no image. It exists so that every round encodes the same number of titles."""
    with measured.database.connect(None) as conn, conn.begin():
        conn.execute(text("delete from shop.product where sku like 'dead%'"))
        conn.execute(text("delete from shop_private.fetch_host"))
    with measured.database.connect(Role.APP) as conn, conn.begin():
        with staging(conn) as stage:
            for number, address in enumerate(addresses):
                stage(Product(f"dead{number}", f"dead {number}", images=(Image(address),) if address else ()))
        upsert(conn, image_root=None)


def _waiting(measured: Site, part: str, *, local: bool = False) -> int:
    only = " and host is null" if local else ""
    with measured.database.connect(None) as conn:
        return int(
            conn.scalar(
                text(f"select count(*) from shop_private.work where part = '{part}' and state <> 'quarantined'{only}")
            )
            or 0
        )


def _rate(measured: Site) -> float:
    began, waiting = time.monotonic(), _waiting(measured, "image")
    time.sleep(SECONDS)
    left = _waiting(measured, "image")
    if left == 0:
        raise RuntimeError("all images are encoded before the end of the measurement; measure with more images")
    return (waiting - left) / (time.monotonic() - began)


@contextmanager
def _silent_server() -> Iterator[int]:
    """Yields the port of a server that accepts connections at every address of the loopback network and never
    answers."""
    with socket.create_server(("0.0.0.0", 0), backlog=512) as server:
        yield server.getsockname()[1]
