"""The error of a refused connection names the reason, and not the DETAIL or HINT that PostgreSQL adds to it."""

import psycopg
import pytest

from db.driver_errors import translated
from db.engine import Database
from db.errors import DatabaseUnreachable


def test_the_error_of_a_server_that_recovers_names_this_reason() -> None:
    recovering = psycopg.OperationalError(
        'connection to server at "127.0.0.1", port 5432 failed: FATAL:  the database system is not yet accepting '
        "connections\nDETAIL:  Consistent recovery state has not been yet reached."
    )
    found = translated(recovering, "db.example/shop")
    assert isinstance(found, DatabaseUnreachable)
    assert str(found) == "db.example/shop: the database system is not yet accepting connections"
    assert found.hint == "Try again in a moment."


def test_the_error_of_a_refused_connection_leaves_out_the_hint_of_the_server(database: Database) -> None:
    with database.connect(None) as conn, conn.begin():
        conn.exec_driver_sql("update pg_database set datconnlimit = -2 where datname = current_database()")
    url = database.url(None).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with pytest.raises(psycopg.OperationalError, match="HINT:") as refused:
            psycopg.connect(url)
        assert "cannot connect to invalid database" in str(translated(refused.value))
        assert "HINT" not in str(translated(refused.value))
    finally:
        with psycopg.connect(url.rpartition("/")[0] + "/postgres", autocommit=True) as conn:
            conn.execute("update pg_database set datconnlimit = -1 where datname = %s", [database.write.database])


def test_the_hint_of_a_silent_server_also_fits_the_embedded_server() -> None:
    found = translated(psycopg.OperationalError("connection timeout expired"), "127.0.0.1:5449/windowshop")
    assert str(found) == "no database answers at 127.0.0.1:5449/windowshop: connection timeout expired"
    assert found.hint is not None
    assert "If the variable is unset, the embedded server does not answer" in found.hint
