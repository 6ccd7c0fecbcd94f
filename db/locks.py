"""Takes the advisory locks by which sessions with the rights of the owner exclude each other.

Every role may take any advisory lock. So a lock of another session counts only if the login of that session has the
rights of the owner, or of the owner of the database. The second key of each lock is random, so that nobody can take the
lock in advance.
"""

import random
import time
from enum import IntEnum

from sqlalchemy import Connection, text


class Lock(IntEnum):
    UPGRADE = 740_100  # held by the only session that runs migrations
    INDEX_BUILD = 740_200  # held by the only session that builds the deferred indexes


TRIES = 4  # more than one, because two sessions that take a lock at the same moment both release it
LONGEST_PAUSE = 0.1  # seconds between two tries

_TAKE = text("select pg_try_advisory_lock(:lock, :own)")
_RELEASE = text("select pg_advisory_unlock(:lock, :own)")
_OTHERS = text(
    "select exists (select from pg_locks l join pg_stat_activity a on a.pid = l.pid "
    "join pg_database d on d.oid = l.database left join pg_roles r on r.rolname = :owner "
    "where l.locktype = 'advisory' and l.classid = cast(cast(:lock as integer) as oid) and l.objsubid = 2 "
    "and l.granted and d.datname = current_database() and l.pid <> pg_backend_pid() "
    "and (pg_has_role(a.usesysid, d.datdba, 'member') or pg_has_role(a.usesysid, r.oid, 'member')))"
)


def hold(conn: Connection, lock: Lock, owner: str) -> bool:
    """Take `lock` until the session of `conn` ends. Returns False if another session with such rights holds it."""
    for _ in range(TRIES):
        parameters = {"lock": int(lock), "own": random.randrange(2**31)}
        taken = conn.scalar(_TAKE, parameters)
        if taken and not conn.scalar(_OTHERS, {"lock": int(lock), "owner": owner}):
            return True
        if taken:
            conn.execute(_RELEASE, parameters)
        time.sleep(random.uniform(0, LONGEST_PAUSE))
    return False
