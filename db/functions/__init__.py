"""Lists the SQL files of the functions, views, types and grants. Every upgrade applies all files again, in the order of
`call_order.txt`: callees first.

An upgrade replaces each `@word@` in a file. A word names a role (`@owner@`), the schema of an extension (`@vector@`,
`@dblink@`), the schema revision (`@revision@`), the oldest code that this revision serves (`@serves@`) or a number from
the lists in `constants.py` (`@max_results@`). Nothing else is replaced.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

from db.functions import constants

# Each file comes before the files whose functions call its function.
IN_CALL_ORDER = tuple((files(__name__) / "call_order.txt").read_text(encoding="utf-8").split())
_NAME = re.compile(r"@([a-z][a-z0-9_]*)@")


def statements(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the SQL of each file. Each `@word@` is replaced from `names` and the constants.

    Raises KeyError for an unknown word.
    """
    words = {**dict(constants.values()), **names}
    folder = files(__name__)
    for name in IN_CALL_ORDER:
        source = (folder / f"{name}.sql").read_text(encoding="utf-8")
        yield name, _NAME.sub(lambda match: words[match[1]], source)
