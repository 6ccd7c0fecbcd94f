"""Work that must end at a deadline: a moment of `time.monotonic()`."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def seconds_left(deadline: float) -> float:
    """The time until the deadline, more than zero. Raises TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def call_until(deadline: float, call: Callable[[], Result]) -> Result:
    """The call's result, or its error. Raises TimeoutError at the deadline, while the call continues in its thread: a
    resolver or a storage driver cannot be interrupted."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="fetch", daemon=True).start()
    return future.result(seconds_left(deadline))
