"""Starts the web service as a process, for tests that put the service under load and stop it."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.web.http_load import NO_ANSWER, Answers, Asking, Load, ask
from tests.support.processes import COMMAND, wait_until

__all__ = ["NO_ANSWER", "Answers", "Asking", "Load", "ask", "gauge", "log_lines", "service", "stop"]


@contextmanager
def service(
    env: Mapping[str, str], log: Path, port: int, code: Path | None = None, **settings: object
) -> Iterator[subprocess.Popen[bytes]]:
    """Start `windowshop serve` and wait until it answers at the port. Kill the process when the context ends.

    `code` is the folder of the packages that the process runs. The default is the working folder of the tests.
    """
    own = {"api_keys": "off", "rate_per_address": 0, "metrics_port": "null", **settings}
    given = {f"WINDOWSHOP_WEB_{name.upper()}": str(value) for name, value in own.items()}
    given["WINDOWSHOP_LOG_FORMAT"] = "json"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port)], env={**env, **given}, stderr=output, cwd=code
        )
    try:
        wait_until(lambda: process.poll() is not None or _answers(port), 60, "an answer")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait()


def stop(process: subprocess.Popen[bytes], within: float = 30) -> int:
    os.kill(process.pid, signal.SIGTERM)
    return process.wait(within)


def log_lines(log: Path) -> list[dict[str, Any]]:
    """Returns the parsed lines of the log that describe requests."""
    return [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "request"]


def gauge(port: int, name: str) -> float:
    """Returns one value of /metrics. The name includes the labels as /metrics writes them."""
    shown = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=20).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", shown, re.MULTILINE)
    assert found, shown
    return float(found[1])


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.TransportError:
        return False
