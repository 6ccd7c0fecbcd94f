"""Runs risky calls in child processes, and replaces a process that crashes or hangs."""

import multiprocessing
import re
import resource
import signal
import threading
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

SPAWN = multiprocessing.get_context("spawn")  # not fork: a forked copy of a process with a GPU or threads can hang
FAILURES = (TimeoutError, ProcessExpired, BrokenProcessPool)  # the errors of a call whose process died or was killed


class WorkerPool:
    """A pool of child processes. The first call starts the processes. The process of a call that takes longer than
    `seconds` is killed."""

    def __init__(
        self, processes: int, seconds: float, initializer: Callable[..., None], initial_arguments: tuple[Any, ...] = ()
    ) -> None:
        self._processes, self._seconds = processes, seconds
        self._initializer, self._initial_arguments = initializer, initial_arguments
        self._pool: ProcessPool | None = None
        self._calls: set[ProcessFuture[Any]] = set()
        self._closed = False
        self._guard = threading.Lock()

    def submit(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> ProcessFuture[Result]:
        """Start a call. Raises BrokenProcessPool after `close`.

        The future raises one of FAILURES if its process dies.
        """
        with self._guard:
            if self._closed:
                raise BrokenProcessPool("closed")
            if self._pool is None or not self._pool.active:  # the pool is inactive if an idle process was killed
                self._end()
                self._pool = ProcessPool(
                    self._processes,
                    initializer=self._initializer,
                    initargs=self._initial_arguments,
                    context=SPAWN,
                )
            call = self._pool.schedule(function, args=args, kwargs=kwargs, timeout=self._seconds)
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            return call

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._end()

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            for call in list(self._calls):  # pebble leaves some calls of a stopped pool without a result
                with suppress(InvalidStateError):
                    call.set_exception(BrokenProcessPool("the pool was stopped"))


def limit_memory(most_bytes: int) -> None:
    """Let this process allocate at most `most_bytes` more, so that an image cannot take the machine's memory.

    The limit counts memory that the process can write to. It counts neither libraries nor shared memory.
    """
    now = 0
    with suppress(FileNotFoundError):  # macOS has no /proc
        now = 1024 * int(re.findall(r"^VmData:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)[0])
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = now + most_bytes if hard == resource.RLIM_INFINITY else min(now + most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def explain(failure: BaseException) -> str:
    """Return a text with the reason for a failed call. The call decoded a single image."""
    if isinstance(failure, ProcessExpired):
        code = failure.exitcode
        ending = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return f"the image ended the decoder ({ending})"
    if isinstance(failure, TimeoutError):
        return "opening the image took too long"
    return "the decoders were ended from outside"
