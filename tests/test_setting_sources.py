"""Settings come from the environment, from files with secrets and from windowshop.toml. Unknown names are refused."""

import json
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from db.errors import SettingsError
from db.setting_sources import check_names, variable
from db.settings import Settings
from loader.settings import FeedSettings
from tests.support.processes import windowshop
from web.settings import WebSettings
from windowshop.settings import classes

CLASSES = classes()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the working folder of the test, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_secret_is_read_from_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "url").write_text("postgresql://me:open sesame@db/shop\n")
    monkeypatch.setenv("WINDOWSHOP_DATABASE_URL_FILE", str(folder / "url"))
    (folder / "token").write_bytes(b"a token\r\n")
    monkeypatch.setenv("windowshop_feed_token_file", "token")
    read = Settings.read().database_url
    assert read is not None and read.get_secret_value() == "postgresql://me:open sesame@db/shop"
    assert FeedSettings.read().authorization() == {"Authorization": "Bearer a token"}
    check_names(CLASSES.values())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "WINDOWSHOP_DATABASE_URL_FILE: url cannot be read: No such file or directory"),
        (b"", "WINDOWSHOP_DATABASE_URL_FILE: url is empty"),
        (b" \n", "WINDOWSHOP_DATABASE_URL_FILE: url is empty"),
        (b"one\ntwo\n", "WINDOWSHOP_DATABASE_URL_FILE: url must have one line"),
        (b"\xff", "WINDOWSHOP_DATABASE_URL_FILE: url is not a text in UTF-8"),
        (b"x" * 70_000, "WINDOWSHOP_DATABASE_URL_FILE: url has more than 65536 bytes"),
    ],
)
def test_a_file_without_a_secret_is_refused(
    content: bytes | None, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (folder / "url").write_bytes(content)
    monkeypatch.setenv("WINDOWSHOP_DATABASE_URL_FILE", "url")
    with pytest.raises(SettingsError) as raised:
        Settings.read()
    assert raised.value.message == said


def test_a_folder_and_an_empty_path_are_refused_as_files_of_a_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDOWSHOP_DATABASE_URL_FILE", str(folder))
    with pytest.raises(SettingsError, match=r"^WINDOWSHOP_DATABASE_URL_FILE: .* cannot be read: Is a directory$"):
        Settings.read()
    monkeypatch.setenv("WINDOWSHOP_DATABASE_URL_FILE", "")
    with pytest.raises(SettingsError, match="^WINDOWSHOP_DATABASE_URL_FILE names no file$"):
        Settings.read()


def test_a_secret_that_is_given_twice_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "password").write_text("opensesame")
    monkeypatch.setenv("WINDOWSHOP_GATEWAY_PASSWORD", "opensesame")
    monkeypatch.setenv("WINDOWSHOP_GATEWAY_PASSWORD_FILE", "password")
    with pytest.raises(SettingsError) as raised:
        Settings.read()
    assert raised.value.message == (
        "WINDOWSHOP_GATEWAY_PASSWORD and WINDOWSHOP_GATEWAY_PASSWORD_FILE are both set; set one of them"
    )
    monkeypatch.delenv("WINDOWSHOP_GATEWAY_PASSWORD")
    monkeypatch.delenv("WINDOWSHOP_GATEWAY_PASSWORD_FILE")
    (folder / "windowshop.toml").write_text('gateway_password = "x"\ngateway_password_file = "password"\n')
    with pytest.raises(SettingsError, match="gateway_password and gateway_password_file are both set"):
        Settings.read()


CONFIG = """
role_prefix = "other_"
gateway_port = 5433
gateway_password_file = "password"

[web]
port = 8080
metrics_port = "null"
trusted_proxies = ["10.0.0.0/8"]
cors_origins = "https://a.example, https://b.example"
"""


def test_the_settings_file_gives_the_settings_that_the_environment_lacks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "windowshop.toml").write_text(CONFIG)
    (folder / "password").write_text("opensesame\n")
    monkeypatch.setenv("WINDOWSHOP_GATEWAY_PORT", "5434")
    settings, web = Settings.read(), WebSettings.read()
    assert (settings.role_prefix, settings.gateway_port) == ("other_", 5434)
    assert settings.gateway_password is not None and settings.gateway_password.get_secret_value() == "opensesame"
    assert (web.port, web.metrics_port, web.max_requests) == (8080, None, 256)
    assert [str(network) for network in web.trusted_proxies] == ["10.0.0.0/8"]
    assert web.cors_origins == ["https://a.example", "https://b.example"]
    check_names(CLASSES.values())

    elsewhere = folder / "conf"
    elsewhere.mkdir()
    (folder / "password").rename(elsewhere / "password")
    (folder / "windowshop.toml").rename(elsewhere / "site.toml")
    assert Settings.read().role_prefix == "shop_"
    monkeypatch.setenv("WINDOWSHOP_CONFIG", str(elsewhere / "site.toml"))
    assert Settings.read().gateway_password is not None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("role_prefix = ", "the settings file windowshop.toml is not TOML: Invalid value"),
        ("role_prefix = '\udcff'", "the settings file windowshop.toml is not TOML: 'utf-8' codec"),
        ("gateway_port = 0", "windowshop.toml: gateway_port: Input should be greater than or equal to 1"),
        ("gateway_port = [1]", "windowshop.toml: gateway_port: Input should be a valid integer"),
        ("database_url_file = 3", "windowshop.toml: database_url_file: must be the path of a file"),
        ("[web]\nport = 70000", "windowshop.toml: web.port: Input should be less than or equal to 65535"),
        ("web = 3", "windowshop.toml: web must be a table: [web]"),
    ],
)
def test_a_wrong_settings_file_is_refused_with_the_place_of_the_fault(content: str, said: str, folder: Path) -> None:
    (folder / "windowshop.toml").write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(SettingsError) as raised:
        (Settings.read(), WebSettings.read())
    assert raised.value.message.startswith(said)


def test_a_named_settings_file_must_exist(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOWSHOP_CONFIG", "nowhere.toml")
    with pytest.raises(SettingsError, match="^WINDOWSHOP_CONFIG: there is no file nowhere.toml$"):
        Settings.read()
    monkeypatch.setenv("WINDOWSHOP_CONFIG", str(folder))
    with pytest.raises(SettingsError, match="cannot be read: Is a directory$"):
        Settings.read()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("WINDOWSHOP_WEB_PROT", "WINDOWSHOP_WEB_PORT"),
        ("WINDOWSHOP_DATABSE_URL", "WINDOWSHOP_DATABASE_URL"),
        ("WINDOWSHOP_WEB_PORT_FILE", "WINDOWSHOP_WEB_PORT"),
        ("WINDOWSHOP_PORT", "WINDOWSHOP_WEB_PORT"),
        ("windowshop_encoder_devise", "WINDOWSHOP_ENCODER_DEVICE"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_setting(
    name: str, nearest: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError) as raised:
        check_names(CLASSES.values())
    assert raised.value.message == f"{name} is not a setting; the nearest one is {nearest}"


def test_unknown_keys_of_the_settings_file_are_refused_together(folder: Path) -> None:
    (folder / "windowshop.toml").write_text("databaseurl = 1\n[web]\nprot = 1\n[encodr]\ndevice = 1\n")
    with pytest.raises(SettingsError) as raised:
        check_names(CLASSES.values())
    assert raised.value.message == (
        "windowshop.toml: databaseurl is not a setting; the nearest one is database_url; "
        "windowshop.toml: web.prot is not a setting; the nearest one is web.port; "
        "windowshop.toml: encodr is not a setting; the nearest one is encoder"
    )


SERVICE_LINKS = {
    "WINDOWSHOP_SERVICE_HOST": "10.0.0.1",
    "WINDOWSHOP_SERVICE_PORT": "8000",
    "WINDOWSHOP_WEB_SERVICE_PORT_HTTP": "8000",
    "WINDOWSHOP_WEB_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "WINDOWSHOP_WEB_PORT_8000_TCP_PROTO": "tcp",
    "WINDOWSHOP_WEB_PORT_8000_TCP_PORT": "8000",
    "WINDOWSHOP_WEB_PORT_8000_TCP_ADDR": "10.0.0.1",
    "WINDOWSHOP_WEB_PORT": "tcp://10.0.0.1:8000",
    "WINDOWSHOP_WEB_METRICS_PORT": "tcp://10.0.0.1:9464",
    "WINDOWSHOP_GATEWAY_PORT": "tcp://10.0.0.1:5432",
}


def test_the_service_links_of_kubernetes_are_ignored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICE_LINKS.items():
        monkeypatch.setenv(name, value)
    with capture_logs() as logged:
        check_names(CLASSES.values())
    assert [(line["log_level"], sorted(line["names"])) for line in logged] == [("debug", sorted(SERVICE_LINKS))]
    assert (WebSettings.read().port, WebSettings.read().metrics_port, Settings.read().gateway_port) == (
        8000,
        9464,
        None,
    )
    assert WebSettings.origins()["port"] == "default"
    (folder / "windowshop.toml").write_text("[web]\nport = 8081\n")
    assert WebSettings.read().port == 8081


def test_the_command_shows_values_and_origins_without_secrets(folder: Path) -> None:
    (folder / "windowshop.toml").write_text("[web]\nport = 8081\n")
    (folder / "token").write_text("opensesame")
    env = {
        "PATH": os.environ["PATH"],
        "WINDOWSHOP_DATABASE_URL": "postgresql://me:opensesame@db/shop",
        "WINDOWSHOP_FEED_TOKEN_FILE": "token",
        "WINDOWSHOP_WEB_METRICS_PORT": "null",
        "COLUMNS": "200",
    }
    done = windowshop("settings", "--json", env=env, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert shown["WINDOWSHOP_DATABASE_URL"] == {"value": "**********", "origin": "environment"}
    assert shown["WINDOWSHOP_FEED_TOKEN"] == {"value": "**********", "origin": "file token"}
    assert shown["WINDOWSHOP_WEB_PORT"] == {"value": 8081, "origin": "windowshop.toml"}
    assert shown["WINDOWSHOP_WEB_METRICS_PORT"] == {"value": None, "origin": "environment"}
    assert shown["WINDOWSHOP_ROLE_PREFIX"] == {"value": "shop_", "origin": "default"}
    assert set(shown) == {variable(each, name) for each in CLASSES.values() for name in each.model_fields}

    done = windowshop("settings", env=env, cwd=folder)
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if "WINDOWSHOP_" in line}
    assert lines["WINDOWSHOP_WEB_PORT"] == ["8081", "windowshop.toml"]
    assert "opensesame" not in done.stdout

    done = windowshop("settings", env={**env, "WINDOWSHOP_WEB_PROT": "1"}, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr.splitlines()[0]
        == "error: WINDOWSHOP_WEB_PROT is not a setting; the nearest one is WINDOWSHOP_WEB_PORT"
    )
    assert windowshop("load", "--help", env={**env, "WINDOWSHOP_WEB_PROT": "1"}, cwd=folder).returncode == 0
