"""Measures the wall time of a `windowshop search` process. The vector of the query text is cached, and the embedded
server is already running."""

import subprocess
import sys
import time

from benchmarks.support.report import Line, keep, quantile
from benchmarks.support.site import encoder, site


def run(count: int = 20) -> None:
    with site() as measured:
        measured.load_images(1242)
        command = [sys.executable, "-m", "windowshop", "search", "red shoes"]
        with encoder(measured):
            while measured.left():
                time.sleep(0.5)
            subprocess.run(command, env=measured.environment, check=True, capture_output=True)
        walls, bare = [], []
        for _ in range(count):
            started = time.perf_counter()
            subprocess.run(command, env=measured.environment, check=True, capture_output=True)
            walls.append(time.perf_counter() - started)
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import sqlalchemy, psycopg, typer, rich"], check=True)
            bare.append(time.perf_counter() - started)
    middle = quantile(walls, 0.5)
    lines = [
        Line("whole process, p50 / p95", f"{middle:.2f} s / {quantile(walls, 0.95):.2f} s", "<= 1.0 s", middle <= 1.0),
        Line("a process that only imports sqlalchemy, psycopg, typer and rich, p50", f"{quantile(bare, 0.5):.2f} s"),
    ]
    keep("command", "windowshop search, cached text", lines, {"walls": walls, "imports": bare})
