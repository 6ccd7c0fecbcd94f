"""Addresses may name several hosts in the notation of libpq or SQLAlchemy. Messages name the hosts that were tried."""

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from db.addresses import hosts, parse, servers, shown, split_hosts
from db.embedded.server import Server
from db.engine import Database, open_database
from db.errors import DatabaseUnreachable, SettingsError
from db.lifecycle import gateway
from db.roles import Role
from db.settings import Settings
from migrations.gateway import point_gateway
from tests.support.databases import ROLES


@pytest.mark.parametrize(
    ("written", "expected", "message"),
    [
        ("postgresql://u:p@db/shop", [("db", 5432)], "db:5432/shop"),
        ("postgresql://u:p@db:5433/shop", [("db", 5433)], "db:5433/shop"),
        ("postgresql://u:p@db1:5433,db2/shop", [("db1", 5433), ("db2", 5432)], "db1:5433, db2:5432/shop"),
        ("postgresql://db1,db2/shop", [("db1", 5432), ("db2", 5432)], "db1:5432, db2:5432/shop"),
        ("postgresql://u:p@/shop?host=a:1&host=b:2", [("a", 1), ("b", 2)], "a:1, b:2/shop"),
        ("postgresql://u:p@a,b/shop?port=1,2", [("a", 1), ("b", 2)], "a:1, b:2/shop"),
        ("postgresql:///shop", [], "local socket:5432/shop"),
    ],
)
def test_an_address_has_no_host_or_one_or_several_hosts(
    written: str, expected: list[tuple[str, int]], message: str
) -> None:
    url = parse("WINDOWSHOP_DATABASE_URL", written)
    assert hosts(url) == expected
    assert shown(url) == message


def test_libpq_reads_a_parsed_address_of_several_hosts() -> None:
    url = parse("X", "postgresql://u:p%40ss@db1:5433,db2:5434/shop?sslmode=require", writes=True)
    read = psycopg.conninfo.conninfo_to_dict(url.set(drivername="postgresql").render_as_string(hide_password=False))
    assert read == {
        "user": "u", "password": "p@ss", "dbname": "shop", "host": "db1,db2", "port": "5433,5434",
        "sslmode": "require", "target_session_attrs": "primary",
    }  # fmt: skip
    kept = parse("X", "postgresql://a,b/shop?target_session_attrs=any", writes=True)
    assert kept.query["target_session_attrs"] == "any"


@pytest.mark.parametrize("written", ["postgresql://u:geheim@a:x,b/d", "postgresql://u:geheim@a:1:2/d", "nonsense"])
def test_a_malformed_address_is_refused_without_its_password(written: str) -> None:
    with pytest.raises(SettingsError, match="^WINDOWSHOP_DATABASE_URL is not a database address") as raised:
        parse("WINDOWSHOP_DATABASE_URL", written)
    assert "geheim" not in raised.value.message


def test_hosts_of_a_setting_are_split() -> None:
    assert split_hosts("a:1, b") == [("a", 1), ("b", None)]
    assert split_hosts("a,,b") is None


def test_the_host_that_answers_is_found_and_the_error_names_all_hosts_if_none_answers(
    database: Database, server: Server, tmp_path: Path
) -> None:
    login = f"postgresql://postgres:{database.write.password}"
    address = f"{login}@127.0.0.1:9,{server.host}:{server.port}/{database.write.database}"
    with (
        open_database(Settings(home=tmp_path, database_url=address)) as found,  # type: ignore[arg-type]
        found.connect(None) as conn,
    ):
        assert conn.scalar(text("select current_database()")) == database.write.database
    dead = f"{login}@127.0.0.1:9,127.0.0.2:9/{database.write.database}"
    with (
        open_database(Settings(home=tmp_path, database_url=dead)) as found,  # type: ignore[arg-type]
        pytest.raises(DatabaseUnreachable, match=r"no database answers at 127.0.0.1:9, 127.0.0.2:9/"),
        found.connect(None),
    ):
        pass


def test_a_read_address_of_the_same_hosts_leads_elsewhere_if_it_also_accepts_standbys(tmp_path: Path) -> None:
    """The address for writing skips standbys. If the read address does not, reads can reach a standby, and the lag of
    the standby must be checked."""

    def reads_elsewhere(write: str, read: str) -> bool:
        settings = Settings(home=tmp_path, database_url=write, read_database_url=read)  # type: ignore[arg-type]
        with open_database(settings) as found:
            return found.reads_elsewhere

    several = "@db1,db2/shop"
    assert reads_elsewhere(f"postgresql://w{several}", f"postgresql://r{several}")
    assert not reads_elsewhere(f"postgresql://w{several}", f"postgresql://r{several}?target_session_attrs=primary")
    assert not reads_elsewhere("postgresql://w@db1/shop", "postgresql://r@db1/shop?target_session_attrs=any")
    assert reads_elsewhere("postgresql://w@db1/shop", "postgresql://r@db2/shop")


def test_the_gateway_tries_several_hosts(database: Database, server: Server) -> None:
    assert database.password is not None
    with database.connect(None) as conn:
        with conn.begin():
            password = database.password(ROLES.gateway)
            point_gateway(conn, ROLES, [("127.0.0.1", 9), (server.host, server.port)], password)
        assert gateway.reach(conn, ROLES) == gateway.own_end(conn)
        options = conn.scalar(text("select srvoptions::text from pg_foreign_server"))
        assert "target_session_attrs=read-write" in str(options)


def test_psycopg_gets_the_characters_and_hosts_that_sqlalchemy_reads() -> None:
    url = parse("X", "postgresql://u:p%20w%40@a:1,b:2/shop?options=-c%20statement_timeout%3D5")
    options = Database(url, url, ROLES).connect_options(Role.ENCODER)
    read = psycopg.conninfo.conninfo_to_dict(psycopg.conninfo.make_conninfo(**options))
    assert (read["password"], read["options"]) == ("p w@", "-c statement_timeout=5")
    assert (read["host"], read["port"]) == ("a,b", "1,2")
    assert read["fallback_application_name"] == "windowshop encoder"


def test_an_address_of_several_hosts_is_split_into_servers_only_if_it_balances_the_load() -> None:
    shared = parse("X", "postgresql://u:p@db2,db3:5433/shop?load_balance_hosts=random&sslmode=require")
    assert [one.render_as_string(hide_password=False) for one in servers(shared)] == [
        "postgresql+psycopg://u:p@db2:5432/shop?sslmode=require",
        "postgresql+psycopg://u:p@db3:5433/shop?sslmode=require",
    ]
    in_order = parse("X", "postgresql://u:p@db2,db3:5433/shop")
    one = parse("X", "postgresql://u:p@db2/shop?load_balance_hosts=random")
    assert servers(in_order) == [in_order] and servers(one) == [one]
