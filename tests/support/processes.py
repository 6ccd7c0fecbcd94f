"""Runs `windowshop` in child processes, for tests that watch, stop or kill them."""

import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "windowshop")  # a new interpreter, as a user starts it

# These modules import torch, sentence-transformers, the command line, and the model families that tests use.
PRELOADED = [
    "encoder.starter.assembly",
    "loader.ingest",
    "migrations.upgrade",
    "tests.support.tiny_models",
    "windowshop.main",
    "windowshop.output.encoding",
]


def nothing() -> None:
    pass


class Command:
    """A running `windowshop` command, with methods like those of subprocess.Popen.

    The command is forked from a process that has already imported PRELOADED, because the import of torch and
    sentence-transformers takes about ten seconds.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        cwd: Path | None = None,
        output: Path,
        errors: Path,
        before: Callable[[], None] = nothing,
    ) -> None:
        """`before` is a function at the top level of a module. The process calls it before the command."""
        folder = cwd or Path.cwd()
        self._process = _fork_server().Process(
            target=_become, args=(arguments, dict(env), folder, output, errors, before)
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("windowshop", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def _become(
    arguments: tuple[str, ...],
    env: Mapping[str, str],
    folder: Path,
    output: Path,
    errors: Path,
    before: Callable[[], None],
) -> None:
    """Run the command in this forked process. Append its standard output and standard error to the files."""
    from windowshop.main import main

    os.environ.clear()
    os.environ.update({"WINDOWSHOP_LOG_FORMAT": "text", **env})  # as on a terminal
    if "HF_HUB_CACHE" in env:
        from huggingface_hub import constants

        constants.HF_HUB_CACHE = env["HF_HUB_CACHE"]  # the library read the variable when it was imported
    os.chdir(folder)
    for descriptor, path in ((1, output), (2, errors)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    sys.argv = ["windowshop", *arguments]
    before()
    main()


@cache
def _fork_server() -> ForkServerContext:
    """Start the process from which commands are forked. Each test process has its own fork server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [known])])
    try:
        forkserver.ensure_running()
    finally:
        if known is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = known
    return context


def windowshop(
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    timeout: float = 600,
    before: Callable[[], None] = nothing,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return the result, whatever the exit code is."""
    with TemporaryDirectory(prefix="windowshop-command-") as name:
        output, errors = Path(name) / "output", Path(name) / "errors"
        command = Command(*arguments, env=env, cwd=cwd, output=output, errors=errors, before=before)
        try:
            code = command.wait(timeout)
        except subprocess.TimeoutExpired:
            command.kill()
            raise
        return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())


def windowshop_in_new_interpreter(
    *arguments: str, env: Mapping[str, str], cwd: Path | None = None, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run a command like the function `windowshop`, but in a new interpreter. Some libraries read environment variables
    only when they are imported."""
    return subprocess.run(
        [*COMMAND, *arguments], env=dict(env), cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
    )


def start_encoder(env: Mapping[str, str], *arguments: str, log: Path) -> Command:
    return Command("encode", *arguments, env=env, output=log, errors=log)


@contextmanager
def running_encoder(env: Mapping[str, str], log: Path, *arguments: str) -> Iterator[Command]:
    """Start an encoder and wait until it is ready to answer. Stop the encoder when the context ends.

    Another encoder may take a running batch of queries after 60 s, not 4 s, because a busy machine may need 4 s for an
    image.
    """
    process = start_encoder({"WINDOWSHOP_ENCODER_HUNG_SECONDS": "60", **env}, *arguments, log=log)
    try:
        wait_until(lambda: says(log, "encoder is ready") or process.poll() is not None, 60, "a ready encoder")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def says(log: Path, words: str) -> bool:
    return log.exists() and words in log.read_text()


def free_port() -> int:
    """Return a port at which no server listens. The port is below the range from which systems take the ports of
    outgoing connections, so no connection of another test takes it before the server of this test starts."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


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
