"""Parses the addresses of databases. An address may name several hosts, as in libpq:

    postgresql://user:password@db1:5432,db2:5433/shop?target_session_attrs=primary

libpq tries the hosts in this order, or with load_balance_hosts=random in a random order. If an address names several
hosts, `parse` moves the hosts into the query of the URL. If one of them has a port, `parse` moves the ports too. Both
SQLAlchemy and libpq read this form: `postgresql://user:password@/shop?host=db1,db2&port=5432,5433`.
"""

import re

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from db.errors import SettingsError

PORT = 5432
_PARTS = re.compile(r"(?P<start>[a-z0-9+]+://(?:[^@/?]*@)?)(?P<hosts>[^@/?]*)(?P<end>.*)", re.DOTALL)
_HOST = re.compile(r"(?P<host>[^:,\[\]]+)(?::(?P<port>\d+))?")


def parse(name: str, value: str, *, writes: bool = False) -> URL:
    """Return the parsed address. With `writes`, libpq connects only to the primary among several hosts, unless the
    address has target_session_attrs.

    Raises SettingsError if the address is not valid, or is not an address of PostgreSQL. The message does not show the
    address, because it may contain a password.
    """
    parts = _PARTS.fullmatch(value)
    several = split_hosts(parts["hosts"]) if parts and "," in parts["hosts"] else None
    try:
        url = make_url(value if parts is None or several is None else parts["start"] + "several" + parts["end"])
    except (ArgumentError, ValueError) as error:
        raise SettingsError(
            f"{name} is not a database address", hint="postgresql://user:password@host:5432/name"
        ) from error
    if url.get_backend_name() != "postgresql":
        raise SettingsError(f"{name} names {url.get_backend_name()}; Windowshop needs PostgreSQL")
    url = url.set(drivername="postgresql+psycopg")
    listed = url.query.get("host")
    if several is None and isinstance(listed, tuple):  # SQLAlchemy's form: ?host=db1:5432&host=db2:5433
        several = split_hosts(",".join(listed))
        url = url.difference_update_query(["host"])
    if not several:
        return url
    url = url._replace(host=None).update_query_dict({"host": ",".join(host for host, _ in several)})
    if any(port for _, port in several):
        url = url.update_query_dict({"port": ",".join(str(port or PORT) for _, port in several)})
    if writes and len(several) > 1 and "target_session_attrs" not in url.query:
        # With the value `read-write`, libpq also skips a primary if the login's transactions are read-only by default.
        url = url.update_query_dict({"target_session_attrs": "primary"})
    return url


def split_hosts(written: str) -> list[tuple[str, int | None]] | None:
    """Return the hosts of `a:5432,b` with their ports, or None if an entry is not a host."""
    found = [_HOST.fullmatch(each.strip()) for each in written.split(",")]
    return [(one["host"], int(one["port"]) if one["port"] else None) for one in found if one] if all(found) else None


def hosts(url: URL) -> list[tuple[str, int]]:
    """Return the hosts that libpq tries, with their ports. The list is empty for a local socket."""
    written = url.host or url.query.get("host")
    names = written.split(",") if isinstance(written, str) and not written.startswith("/") else []
    listed = url.query.get("port", "")
    ports = listed.split(",") if isinstance(listed, str) and listed else []
    if len(ports) != len(names):
        ports = [str(url.port or (ports[0] if ports else PORT))] * len(names)
    return [(name, int(port or PORT)) for name, port in zip(names, ports, strict=True)]


def servers(url: URL) -> list[URL]:
    """Return an address for each host, if the address asks for load_balance_hosts=random. Otherwise return only `url`,
    whose hosts libpq tries in their order."""
    if url.query.get("load_balance_hosts") != "random" or len(hosts(url)) < 2:
        return [url]
    one = url.difference_update_query(["host", "port", "load_balance_hosts"])
    return [one.set(host=host, port=port) for host, port in hosts(url)]


def location(url: URL) -> tuple[object, ...]:
    """Return the servers, target_session_attrs, and the database, for comparison with another address."""
    all_hosts = hosts(url) or (url.query.get("host"), url.port)
    return all_hosts, url.query.get("target_session_attrs", "any"), url.database


def listed(url: URL) -> str:
    """Return hosts and ports for messages."""
    return ", ".join(f"{host}:{port}" for host, port in hosts(url)) or f"local socket:{url.port or PORT}"


def shown(url: URL) -> str:
    """Return hosts, ports and database for messages, without the login."""
    return f"{listed(url)}/{url.database or ''}"
