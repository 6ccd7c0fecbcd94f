"""Finds the triggers that an upgrade need not create again.

CREATE TRIGGER waits for the end of each transaction that has written to the table. In turn, transactions that write
later wait until the transaction of CREATE TRIGGER ends. To avoid both waits, an upgrade does not create a trigger again
if its definition is unchanged.
"""

import re
from collections.abc import Iterable

from sqlalchemy import Connection, text

TRIGGER = re.compile(r"^create or replace trigger \w+.*?\bon (shop(?:_private)?\.\w+).*?;", re.DOTALL | re.MULTILINE)
_DEFINITIONS = text(
    "select pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = t.tgrelid "
    "where not t.tgisinternal and t.tgenabled = 'O' "
    "and c.relnamespace in (to_regnamespace('shop'), to_regnamespace('shop_private'))"
)


def unchanged_triggers(conn: Connection, files: Iterable[tuple[str, str]]) -> set[str]:
    """Return each CREATE TRIGGER statement in the files whose trigger exists, is enabled, and has this definition."""
    present = {_words(definition) for definition in conn.scalars(_DEFINITIONS)}
    statements = {found[0] for _, sql in files for found in TRIGGER.finditer(sql)}
    return {statement for statement in statements if _words(statement) in present}


def _words(definition: str) -> str:
    """Return a definition in lower case, without OR REPLACE, and with single blanks.

    In a file, the parentheses and casts of a condition must be those that `pg_get_triggerdef` writes. Otherwise, every
    upgrade creates the trigger again.
    """
    definition = definition.lower().replace("create or replace ", "create ").rstrip(";")
    return " ".join(definition.split()).replace("( ", "(").replace(" )", ")")
