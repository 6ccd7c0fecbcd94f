"""Waits until the database answers, or until its schema fits this release. If this takes longer than the given time,
the program exits with an error.

python wait.py database|schema SECONDS

Kubernetes starts the database, the migration and the processes at the same time, so the migration waits for the
database, and the processes wait for the schema.
"""

import sys
import time

from db import schema
from db.engine import open_database
from db.errors import WindowshopError
from db.settings import Settings

PAUSE_SECONDS = 2.0


def main(what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    reason = ""
    with open_database(Settings.read()) as database:
        while True:
            try:
                with database.connect(None) as conn:
                    if what == "schema":
                        schema.check(conn)
                return
            except WindowshopError as error:
                if time.monotonic() > deadline:
                    sys.exit(f"error: {error}")
                if str(error) != reason:
                    reason = str(error)
                    print(f"waiting: {reason}", file=sys.stderr)
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
