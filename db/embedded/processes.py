"""Finds the processes of a server, and ends those that outlive its main process.

Most of these processes end by themselves: while a process of PostgreSQL waits for a client or a timer, it notices the
end of the main process. But a process that waits for an LWLock does not notice it. If the holder of the lock ended
without releasing the lock, the wait never ends, and no new server can use the data folder. The waits for LWLocks are in
src/backend/storage/lmgr/lwlock.c.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PATIENCE = 5.0  # seconds that the processes have to end by themselves, and again after each of the two signals


def is_server_of(data: Path, pid: int) -> bool:
    """Return whether `pid` is the server and not a later process with the same id.

    The working directory of the server is its data folder.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # macOS has no /proc, so the process counts as the server there
    except PermissionError:  # root in a container may lack the right to read another user's link
        with suppress(FileNotFoundError):
            name, state = Path(f"/proc/{pid}/stat").read_text().split()[1:3]
            return name == "(postgres)" and state != "Z"  # Z: a zombie
        return False


def of(data: Path) -> list[int]:
    """Return the processes of PostgreSQL that work in the data folder. Without /proc, as on macOS, none is found."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process has ended, or belongs to another user
            if (process / "comm").read_text() == "postgres\n" and (process / "cwd").samefile(data):
                found.append(int(process.name))
    return found


def end(data: Path, has_ended: Callable[[], bool]) -> bool:
    """Wait until the processes have ended. If they do not end, send them SIGQUIT, after which a process of PostgreSQL
    ends at once. If they still live, send SIGKILL. Returns whether they have ended."""
    if _wait(has_ended):
        return True
    for how in (signal.SIGQUIT, signal.SIGKILL):
        for pid in of(data):
            with suppress(OSError):
                os.kill(pid, how)
        if _wait(has_ended):
            return True
    return False


def _wait(has_ended: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not has_ended():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
