"""Takes advisory file locks, which the kernel releases when the holding process ends, even if the process is killed.

A lock belongs to an open file, not to a process. A program that is started with `pass_fds` shares the open file and so
the lock. After `hand_over`, the lock lasts until that program and its child processes have ended. A forked child of
this process, such as a process of multiprocessing, closes its copy of the descriptor, and the parent keeps the lock. If
the child kept the copy, the lock could outlast the parent, and the embedded server would continue to run although no
process uses the server.
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

POLL_SECONDS = 0.01  # time between two attempts to take a lock


class FileLock:
    """A lock that this process holds. `acquire` took the lock, or the process inherited its descriptor `fd`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        _held.add(self)

    def release(self) -> bool:
        """Release the lock. Returns False if this process does not hold the lock.

        A forked child does not hold the lock, and neither does a process that has released it or handed it over.
        """
        if self.fd < 0:
            return False
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        self.hand_over()
        return True

    def hand_over(self) -> None:
        """Close the descriptor in this process. The lock stays with the program that was started with `pass_fds`."""
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
    """Take the lock of the file `path` and return it, or return None if other processes hold it for `wait` seconds.

    The lock is exclusive, or shared if `shared`. With `wait=None`, the function waits without a time limit. A missing
    file is created.
    """
    # Only this user may read the file, because every user who can read a file can lock it.
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
    """Return whether any process holds an exclusive lock on the file. With `shared`, a shared lock counts too.

    Does not create the file.
    """
    if not path.exists():
        return False
    lock = acquire(path, shared=not shared)
    if lock is None:
        return True
    lock.release()
    return False
