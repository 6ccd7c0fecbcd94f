"""Every setting is documented, and an invalid value is refused with the name of its variable.

After an intended change of a setting, run `UPDATE_GOLDEN=1 pytest tests/test_settings.py` to rewrite docs/settings.md.
"""

import os
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from db.errors import SettingsError
from db.setting_sources import secrets, variable
from db.settings import EnvironmentSettings, Settings
from encoder.settings import EncoderSettings
from loader.settings import FeedSettings
from web.settings import WebSettings
from windowshop.settings import classes

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
CLASSES = classes()
INTRODUCTION = """\
# Settings

A command reads its settings when it starts. It refuses an invalid value, and a name that is no setting. The command
`windowshop settings` shows the value of each setting and its origin, with secrets masked. A value comes from the first
of these that has one:

1. an option of the command, such as `--port`;
2. the environment variable;
3. for a [secret](#secrets), the file whose path is in the variable with `_FILE` at the end of its name, such as
   `WINDOWSHOP_DATABASE_URL_FILE=/run/secrets/url`. The file has one line. To set both this variable and the one
   without `_FILE` is an error;
4. the file `windowshop.toml` in the working folder, or the file that `WINDOWSHOP_CONFIG` names;
5. the default.

Kubernetes gives each pod variables for the services of its namespace, such as
`WINDOWSHOP_WEB_PORT=tcp://10.0.0.1:8000` for a service `windowshop-web`. Variables of these forms are ignored:
`..._SERVICE_HOST`, `..._SERVICE_PORT...`, `..._PORT_8000_TCP...`, and `..._PORT...` with a value such as `tcp://...`.
With `enableServiceLinks: false` in the pod's specification, Kubernetes does not set them.

## windowshop.toml

A key is the name of the variable in lower case, without `WINDOWSHOP_`. The settings of the encoder, of the web service,
of catalog files, of the jobs, of `status` and of the log are in tables of their own. The path of a secret's file is
relative to the folder of `windowshop.toml`.

```toml
role_prefix = "shop_"
database_url_file = "/run/secrets/database_url"

[web]
port = 8080
trusted_proxies = ["10.0.0.0/8"]

[encoder]
device = "cuda"
```
"""
DEFAULTS = {"home": "a folder for the user's data; as root `/var/lib/windowshop`"}


def page() -> str:
    parts = [INTRODUCTION]
    for title, settings in CLASSES.items():
        rows = [f"\n## {title}\n", "| Variable | Default | Meaning |", "|---|---|---|"]
        for name, field in settings.model_fields.items():
            default = DEFAULTS.get(name) or ("unset" if field.default is None else f"`{field.default}`")
            assert field.default is not PydanticUndefined or name in DEFAULTS, name
            rows.append(f"| `{variable(settings, name)}` | {default} | {field.description} |")
        parts.append("\n".join(rows) + "\n")
    parts.append("\n## Secrets\n\nThese variables name files with secrets, as described above:\n\n")
    parts += [f"- `{variable(each, name)}_FILE`\n" for each in CLASSES.values() for name in secrets(each)]
    return "".join(parts)


def test_the_settings_page_equals_the_settings_in_the_code() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("settings", CLASSES.values())
def test_every_setting_has_a_description(settings: type[EnvironmentSettings]) -> None:
    for name, field in settings.model_fields.items():
        assert (field.description or "").endswith("."), name


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        (Settings, "WINDOWSHOP_ROLE_PREFIX", "Shop"),
        (Settings, "WINDOWSHOP_ROLE_PREFIX", 'x"; drop role postgres; --'),
        (Settings, "WINDOWSHOP_ROLE_PREFIX", ""),
        (Settings, "WINDOWSHOP_GATEWAY_PORT", "0"),
        (Settings, "WINDOWSHOP_GATEWAY_PORT", "postgres"),
        (Settings, "WINDOWSHOP_STATEMENT_TIMEOUT_MS", "1"),
        (EncoderSettings, "WINDOWSHOP_ENCODER_IMAGE_BATCH", "-1"),
        (EncoderSettings, "WINDOWSHOP_ENCODER_LEASE_SECONDS", "1.5"),
        (EncoderSettings, "WINDOWSHOP_ENCODER_QUERY_SECONDS", "-1"),
        (EncoderSettings, "WINDOWSHOP_ENCODER_READERS", "many"),
        (EncoderSettings, "WINDOWSHOP_ENCODER_CACHE_ROWS", "0"),
        (EncoderSettings, "WINDOWSHOP_ENCODER_FETCH_NETWORKS", "10.0.0.1/8"),
        (EncoderSettings, "WINDOWSHOP_ENCODER_FETCH_PORTS", "8080, http"),
        (EncoderSettings, "WINDOWSHOP_ENCODER_OBJECT_STORES", "s3://shop, /srv/pictures"),
        (FeedSettings, "WINDOWSHOP_FEED_MAX_BYTES", "20GB"),
        (WebSettings, "WINDOWSHOP_WEB_PORT", "65536"),
        (WebSettings, "WINDOWSHOP_WEB_API_KEYS", "maybe"),
        (WebSettings, "WINDOWSHOP_WEB_TRUSTED_PROXIES", "10.0.0.0/8, everybody"),
    ],
)
def test_an_invalid_value_is_refused_with_the_name_of_its_variable(
    settings: type[EnvironmentSettings], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: "):
        settings.read()


def test_valid_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOWSHOP_HOME", "/somewhere")
    monkeypatch.setenv("WINDOWSHOP_ENCODER_IMAGE_BATCH", "64")
    assert Settings.read().home == Path("/somewhere")
    monkeypatch.setenv("WINDOWSHOP_WEB_TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8")
    monkeypatch.setenv("WINDOWSHOP_WEB_METRICS_PORT", "null")
    assert EncoderSettings.read().image_batch == 64
    assert [str(network) for network in WebSettings.read().trusted_proxies] == ["10.0.0.0/8", "fd00::/8"]
    assert WebSettings.read().metrics_port is None


def test_the_text_of_settings_contains_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOWSHOP_DATABASE_URL", "postgresql://me:opensesame@db/shop")
    monkeypatch.setenv("WINDOWSHOP_READ_DATABASE_URL", "postgresql://me:opensesame@replica/shop")
    monkeypatch.setenv("WINDOWSHOP_GATEWAY_PASSWORD", "opensesame")
    settings = Settings.read()
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "opensesame" not in shown


def test_the_text_of_a_database_object_contains_no_password() -> None:
    from db.engine import open_database

    settings = Settings(database_url="postgresql://me:opensesame@db/shop")  # type: ignore[arg-type]
    with open_database(settings) as database:
        assert "opensesame" not in repr(database) + str(database) + str(database.url(None))


def test_the_error_for_a_malformed_database_url_does_not_show_the_url() -> None:
    from db.engine import open_database

    settings = Settings(database_url="postgresql//me:opensesame@db")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="WINDOWSHOP_DATABASE_URL") as raised, open_database(settings):
        pass
    assert "opensesame" not in raised.value.message
