"""Ends work at a deadline, which is a value of `time.monotonic()`."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def seconds_left(deadline: float) -> float:
    """Return the seconds until the deadline, more than zero. Raises TimeoutError after the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def call_until(deadline: float, call: Callable[[], Result]) -> Result:
    """Return the result of the call, or raise its error. Raises TimeoutError at the deadline.

    The call then continues in its thread, because a resolver or a storage driver cannot be interrupted.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="fetch", daemon=True).start()
    return future.result(seconds_left(deadline))
