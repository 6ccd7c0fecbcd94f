"""Takes advisory file locks, which the kernel releases when the holding process ends, even if the process is killed.

A lock belongs to the open file, not to the process: a program started with `pass_fds` shares the lock and keeps it for
as long as the program runs. A forked child, such as one of multiprocessing, drops the lock. Otherwise the child would
keep a server running that the parent no longer uses.
"""

import os
import sys
import time
from pathlib import Path

from db.errors import EmbeddedServerError

if sys.platform == "win32":
    raise EmbeddedServerError(
        "The embedded PostgreSQL server needs Linux or macOS.",
        hint="Set WINDOWSHOP_DATABASE_URL to a PostgreSQL server of your own.",
    )

import fcntl

POLL_SECONDS = 0.01  # between two attempts to get a lock


class FileLock:
    """A held lock, which comes from `acquire` or from an inherited descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        _held.add(self)

    def release(self) -> bool:
        """Release the lock. Returns False in a forked child, which never held the lock."""
        if self.fd < 0:
            return False
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        self.hand_over()
        return True

    def hand_over(self) -> None:
        """Close our descriptor and leave the lock to the program that shares it."""
        _held.discard(self)
        os.close(self.fd)
        self.fd = -1


_held: set[FileLock] = set()


def _drop_in_child() -> None:
    for lock in _held:
        os.close(lock.fd)
        lock.fd = -1
    _held.clear()


os.register_at_fork(after_in_child=_drop_in_child)


def acquire(path: Path, *, shared: bool = False, wait: float | None = 0) -> FileLock | None:
    """Return the lock, or None when others still hold it after `wait` seconds. `wait=None` waits without limit."""
    # The file is private, because every user who can read a file can lock it.
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        if wait is None:
            fcntl.flock(fd, kind)
            return FileLock(fd)
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(fd, kind | fcntl.LOCK_NB)
                return FileLock(fd)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    return None
                time.sleep(POLL_SECONDS)
    except BaseException:
        os.close(fd)
        raise


def is_held(path: Path, *, shared: bool = False) -> bool:
    """Return whether someone holds the exclusive lock. With `shared`, a shared lock counts too. Creates no file."""
    if not path.exists():
        return False
    lock = acquire(path, shared=not shared)
    if lock is None:
        return True
    lock.release()
    return False
