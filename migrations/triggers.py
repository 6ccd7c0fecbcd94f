"""Finds the triggers that an upgrade need not create again.

CREATE TRIGGER waits for every transaction that writes to the table, and later writers wait for it. An upgrade therefore
leaves a trigger as it is if its definition has not changed.
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
    """Return the statements of the files whose triggers exist with the same definition."""
    present = {_words(definition) for definition in conn.scalars(_DEFINITIONS)}
    statements = {found[0] for _, sql in files for found in TRIGGER.finditer(sql)}
    return {statement for statement in statements if _words(statement) in present}


def _words(definition: str) -> str:
    """Return a definition without differences of case and white space. A file must write the parentheses and casts of a
    condition as `pg_get_triggerdef` writes them. Otherwise, every upgrade creates the trigger again."""
    definition = definition.lower().replace("create or replace ", "create ").rstrip(";")
    return " ".join(definition.split()).replace("( ", "(").replace(" )", ")")
