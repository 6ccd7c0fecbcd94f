"""Saves, lists and deletes the rules of searches. The trigger rule_saved of shop.rule checks each rule."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from db.errors import StatementRefused

_VALUES = "name, catalog, status, priority, valid_from, valid_to, condition, action"
_COLUMNS = "rule_id, name, catalog, status, priority, valid_from, valid_to, condition::text, action::text, updated_at"
_GIVEN = (
    ":name, :catalog, :status, :priority, cast(:valid_from as timestamptz), cast(:valid_to as timestamptz), "
    "cast(:condition as jsonb), cast(:action as jsonb)"
)
_ADD = text(f"insert into shop.rule ({_VALUES}) values ({_GIVEN}) returning {_COLUMNS}")
# The statement that writes also checks the version. A separate SELECT FOR UPDATE would lock the rule before rule_saved
# takes its own lock, and two sessions could wait for each other.
_VERSION = (
    "rule_id = :rule_id and catalog = :own_catalog "
    "and (cast(:versions as timestamptz[]) is null or updated_at = any(:versions))"
)
_REPLACE = text(f"update shop.rule set ({_VALUES}) = row({_GIVEN}) where {_VERSION} returning {_COLUMNS}")
_SWITCH = text(f"update shop.rule set status = :status where {_VERSION} returning rule_id")
_SET_STATUS = text(
    "update shop.rule set status = :status where catalog = :catalog and name = any(:names) returning name"
)
_FIND = text(f"select {_COLUMNS} from shop.rule where rule_id = :rule_id")
_FIND_NAMED = text(f"select {_COLUMNS} from shop.rule where catalog = :catalog and name = :name")
_LIST = text(
    f"select {_COLUMNS} from shop.rule where rule_id > :after "
    "and catalog = coalesce(cast(:catalog as text), catalog) order by rule_id limit :rows"
)
_REMOVE_NAMED = text("delete from shop.rule where catalog = :catalog and name = any(:names) returning name")
_REMOVE = text(f"delete from shop.rule where {_VERSION} returning rule_id")
_HIDDEN_ALWAYS = text(
    "select (action -> 'hide')::text from shop.rule where catalog = :catalog and lookup = 'other' and status = 'live' "
    "and condition ? 'always' and action ? 'hide' and coalesce(valid_from <= now(), true) "
    "and coalesce(valid_to > now(), true) order by priority desc, rule_id"
)
UNIQUE_VIOLATION = "23505"


@dataclass(frozen=True, slots=True)
class NewRule:
    """The columns of shop.rule that a shop sets. `condition` and `action` are JSON."""

    name: str
    condition: str
    action: str
    catalog: str = "main"
    status: str = "draft"
    priority: int = 0
    valid_from: datetime | str | None = None
    valid_to: datetime | str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of shop.rule. `condition` and `action` are JSON."""

    rule_id: int
    name: str
    catalog: str
    status: str
    priority: int
    valid_from: datetime | None
    valid_to: datetime | None
    condition: str
    action: str
    updated_at: datetime


def add(conn: Connection, rule: NewRule) -> Rule:
    """Save a new rule.

    `conn` belongs to the role app or the administrator, and the caller commits. Raises StatementRefused if the
    catalog has a rule of this name, and DatabaseError if the rule cannot work.
    """
    with _naming(rule):
        return Rule(*conn.execute(_ADD, _values(rule)).one())


def replace(conn: Connection, found: Rule, rule: NewRule, versions: Sequence[datetime] | None = None) -> Rule | None:
    """Replace all values of the rule `found`, except its id.

    The rule is replaced only if it is still in the catalog of `found`, because an API key may be limited to this
    catalog. With `versions`, the rule is replaced only if its `updated_at` is in `versions`. Returns None if no rule
    was replaced. Raises the errors of `add`.
    """
    with _naming(rule):
        row = conn.execute(_REPLACE, {**_values(rule), **_version(found, versions)}).one_or_none()
    return None if row is None else Rule(*row)


def switch(conn: Connection, found: Rule, status: str, versions: Sequence[datetime] | None = None) -> bool:
    """Make a rule live or a draft. `found` and `versions` work as in `replace`. Returns False if no rule was
    changed. Raises DatabaseError if the rule cannot be live."""
    return conn.scalar(_SWITCH, {"status": status, **_version(found, versions)}) is not None


def save_all(conn: Connection, rules: Sequence[NewRule]) -> None:
    """Save all rules, each in place of the rule of its name and catalog, if there is one. Each gets a new id, so rules
    of equal priority act in the order of `rules`. Raises the errors of `add`."""
    for catalog in {rule.catalog for rule in rules}:  # first, because no old rule may contradict a new one
        remove_named(conn, [rule.name for rule in rules if rule.catalog == catalog], catalog)
    for rule in rules:
        add(conn, rule)


def set_status(conn: Connection, names: Iterable[str], status: str, catalog: str = "main") -> set[str]:
    """Make rules of a catalog live or drafts, and return the names that exist. Raises DatabaseError if a rule cannot
    be live."""
    given = {"status": status, "names": list(names), "catalog": catalog}
    return {row.name for row in conn.execute(_SET_STATUS, given)}


def find(conn: Connection, rule_id: int) -> Rule | None:
    """Return the rule of an id, or None."""
    row = conn.execute(_FIND, {"rule_id": rule_id}).one_or_none()
    return None if row is None else Rule(*row)


def find_named(conn: Connection, name: str, catalog: str = "main") -> Rule | None:
    """Return the rule of a name in a catalog, or None."""
    row = conn.execute(_FIND_NAMED, {"name": name, "catalog": catalog}).one_or_none()
    return None if row is None else Rule(*row)


def read(conn: Connection, catalog: str | None = None, *, after: int = 0, rows: int = 1000) -> list[Rule]:
    """Return at most `rows` rules of `catalog`, in the order of their ids, after the id `after`. Without a catalog,
    return the rules of all catalogs."""
    return [Rule(*row) for row in conn.execute(_LIST, {"catalog": catalog, "after": after, "rows": rows})]


def hidden_always(conn: Connection, catalog: str) -> list[str]:
    """Return what live rules of a catalog hide from every search now, as JSON: a text is a SKU, and an object is a
    filter."""
    return list(conn.scalars(_HIDDEN_ALWAYS, {"catalog": catalog}))


def remove(conn: Connection, found: Rule, versions: Sequence[datetime] | None = None) -> bool:
    """Delete a rule. `found` and `versions` work as in `replace`. Returns False if no rule was deleted."""
    return conn.scalar(_REMOVE, _version(found, versions)) is not None


def remove_named(conn: Connection, names: Iterable[str], catalog: str = "main") -> set[str]:
    """Delete rules of a catalog, and return the names that existed."""
    return {row.name for row in conn.execute(_REMOVE_NAMED, {"names": list(names), "catalog": catalog})}


@contextmanager
def _naming(rule: NewRule) -> Iterator[None]:
    try:
        yield
    except StatementRefused as error:
        if error.sqlstate != UNIQUE_VIOLATION:
            raise
        refused = StatementRefused(
            f"there is already a rule {rule.name!r} of catalog {rule.catalog!r}", hint="Choose another name."
        )
        refused.sqlstate = "22023"
        raise refused from error


def _version(found: Rule, versions: Sequence[datetime] | None) -> dict[str, object]:
    given = None if versions is None else list(versions)
    return {"rule_id": found.rule_id, "own_catalog": found.catalog, "versions": given}


def _values(rule: NewRule) -> dict[str, object]:
    return {
        "name": rule.name,
        "catalog": rule.catalog,
        "status": rule.status,
        "priority": rule.priority,
        "valid_from": rule.valid_from,
        "valid_to": rule.valid_to,
        "condition": rule.condition,
        "action": rule.action,
    }
