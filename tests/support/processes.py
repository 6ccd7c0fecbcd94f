"""Runs `windowshop` in child processes, for tests that watch, stop or kill them."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "windowshop")


def windowshop(
    *arguments: str, env: Mapping[str, str], cwd: Path | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return the result, whatever the exit code is."""
    return subprocess.run(
        [*COMMAND, *arguments], env=dict(env), cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
    )


def start_encoder(env: Mapping[str, str], *arguments: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen([*COMMAND, "encode", *arguments], env=dict(env), stdout=output, stderr=output)


@contextmanager
def running_encoder(env: Mapping[str, str], log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start an encoder and wait until it is ready to answer. Stop the encoder when the context ends."""
    process = start_encoder(env, *arguments, log=log)
    try:
        wait_until(lambda: "encoder is ready" in log.read_text() or process.poll() is not None, 60, "encoder ready")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for the condition and return its first true value. After `seconds`, fail with a message that names
    `what`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for: {what}")


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked child. Returns the child's exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
