"""With verify-full, the commands and the gateway check the certificate of the database server (docs/operations.md).

The embedded server is built without TLS, so the test uses Debian's PostgreSQL.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from db import addresses
from db.embedded.server import binary
from db.engine import Database
from db.errors import DatabaseError
from db.roles import Role, Roles
from tests.operations.page import ROOT, administrator, block, done, shell
from tests.support.postgres.cluster import PASSWORD, Cluster
from tests.support.postgres.debian import PROGRAMS

pytestmark = pytest.mark.soak
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_server(server_home: Path, debian: Path, authority: trustme.CA) -> Iterator[Cluster]:
    """Yields a server that accepts only connections with TLS."""
    folder = debian / "tls"
    settings = block("tls settings", {"/etc/shop": str(folder / "data")}).splitlines()
    made = Cluster.create(server_home, folder, *settings, programs=PROGRAMS, root=debian)
    certificate = authority.issue_cert("127.0.0.1")
    for name, content in (
        ("server.crt", certificate.cert_chain_pems[0].bytes()),
        ("server.key", certificate.private_key_pem.bytes()),
        ("pg_hba.conf", block("tls access", {"10.0.0.0/8": "127.0.0.1/32"}).encode()),
    ):
        (made.data / name).write_bytes(content)
        os.chown(made.data / name, *_owner(made.data))
        (made.data / name).chmod(0o600)
    (folder / "ca.crt").write_bytes(authority.cert_pem.bytes())
    (folder / "other.crt").write_bytes(trustme.CA().cert_pem.bytes())
    made.start()
    made.sql("create database shop encoding 'UTF8' template template0")
    yield made
    made.stop()


def _owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the home folder of the administrator, which keeps the passwords of the logins."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def run(tls_server: Cluster, home: Path) -> Run:
    """Returns a function that runs `windowshop`. The address of the administrator ends with `options`."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("WINDOWSHOP_")}

    def windowshop(*words: str, options: str, **more: str) -> "subprocess.CompletedProcess[str]":
        address = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{tls_server.port}/shop?{options}"
        own = {"WINDOWSHOP_HOME": str(home), "WINDOWSHOP_DATABASE_URL": address, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "windowshop", *words]
        return subprocess.run(command, env={**known, **own, **more}, capture_output=True, text=True, timeout=300)

    return windowshop


def test_commands_and_the_gateway_check_the_certificate(tls_server: Cluster, run: Run) -> None:
    certificate = str(tls_server.data.parent / "ca.crt")
    verified = {
        "options": f"sslmode=verify-full&sslrootcert={certificate}",
        "WINDOWSHOP_GATEWAY_SSLROOTCERT": certificate,
    }
    upgraded = run("db", "upgrade", **verified)
    assert upgraded.returncode == 0, upgraded.stderr
    checked = run("db", "check", **verified)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    query = "select srvoptions::text[] from pg_foreign_server where srvname = 'shop_primary'"
    [options] = tls_server.sql(query, "shop")
    assert {"sslmode=verify-full", f"sslrootcert={certificate}"} <= set(options[0])  # type: ignore[call-overload]

    other = str(tls_server.data.parent / "other.crt")
    for options_of, reason in (
        (f"sslmode=verify-full&sslrootcert={other}", "certificate verify failed"),
        ("sslmode=disable", "no pg_hba.conf entry"),
    ):
        refused = run("db", "check", options=options_of)
        assert refused.returncode != 0
        assert reason in refused.stderr
        assert "Traceback" not in refused.stderr

    wrong = run("db", "upgrade", **{**verified, "WINDOWSHOP_GATEWAY_SSLROOTCERT": other})
    assert wrong.returncode != 0
    assert "cannot log in to itself as the gateway" in wrong.stderr
    assert "certificate verify failed" in wrong.stderr
    assert run("db", "upgrade", **verified).returncode == 0
    assert run("db", "upgrade", options=verified["options"]).returncode == 0  # keeps the certificate of the gateway
    assert tls_server.sql(query, "shop") == [options]
    tls_server.sql("alter server shop_primary options (drop sslmode, drop sslrootcert)", "shop")
    assert run("db", "upgrade", options=verified["options"]).returncode == 0
    assert "ssl" not in str(tls_server.sql(query, "shop"))


def test_the_commands_of_the_page_check_the_certificate(tls_server: Cluster, server_home: Path, home: Path) -> None:
    certificate = tls_server.data.parent / "ca.crt"
    options = f"?sslmode=verify-full&sslrootcert={certificate}"
    env = administrator(tls_server, "shop", home, binary(server_home, "psql")[0].parent)
    env["WINDOWSHOP_DATABASE_URL"] += options
    shown = done(shell(block("tls gateway", {"/etc/shop/ca.crt": str(certificate)}), env, home))
    assert "No difference." in shown
    tls_server.sql("alter role shop_web_writer password 'secret'")
    place = f":secret@127.0.0.1:{tls_server.port}/shop"
    line = block("tls address", {r":\.\.\.@db.example:5432/shop": place, "/etc/shop/ca.crt": str(certificate)})
    for ca, is_accepted in ((certificate, True), (certificate.parent / "other.crt", False)):
        address = line.strip().split("=", 1)[1].replace(str(certificate), str(ca))
        url = addresses.parse("WINDOWSHOP_DATABASE_URL", address)
        database = Database(url, url, Roles("shop_"))
        if is_accepted:
            with database.connect(Role.WEB_WRITER) as conn:
                uses_tls = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
                assert conn.exec_driver_sql(uses_tls).scalar() is True
        else:
            with pytest.raises(DatabaseError, match="certificate verify failed"), database.connect(Role.WEB_WRITER):
                pass
    tls_server.sql(block("tls back"), "shop")
    done(shell("windowshop db upgrade", env, home))
    query = "select srvoptions::text from pg_foreign_server where srvname = 'shop_primary'"
    assert "ssl" not in str(tls_server.sql(query, "shop"))
