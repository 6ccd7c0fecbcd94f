"""Reads settings from environment variables, files with secrets, and `windowshop.toml`, and refuses unknown names."""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import structlog
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from db.errors import SettingsError

PREFIX = "WINDOWSHOP_"
CONFIG = "WINDOWSHOP_CONFIG"  # the path of the settings file
CONFIG_FILE = "windowshop.toml"  # the settings file if WINDOWSHOP_CONFIG is unset
MAX_SECRET_BYTES = 65_536

# By default, Kubernetes sets variables of these two forms in each pod, for each service of the pod's namespace.
_SERVICE_LINK = re.compile(r".+_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_SERVICE_LINK_TO_ADDRESS = re.compile(r".+_PORT(_.+)?=(tcp|udp|sctp)://.*")


def is_service_link(variable: str, value: object) -> bool:
    """Returns whether the variable has one of the forms that Kubernetes uses for services. For example, Kubernetes sets
    WINDOWSHOP_WEB_PORT=tcp://10.0.0.1:8000 for a service windowshop-web, but WINDOWSHOP_WEB_PORT is also the name of a
    setting."""
    name = variable.upper()
    return bool(_SERVICE_LINK.fullmatch(name) or _SERVICE_LINK_TO_ADDRESS.fullmatch(f"{name}={value}"))


def variable(settings: type[BaseSettings], name: str) -> str:
    return f"{settings.model_config.get('env_prefix')}{name}".upper()


def is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def secrets(settings: type[BaseSettings]) -> list[str]:
    return [name for name, field in settings.model_fields.items() if is_secret(field)]


class Environment(EnvSettingsSource):
    """Environment variables, without the service links of Kubernetes."""

    def __call__(self) -> dict[str, Any]:
        given = super().__call__()
        return {name: value for name, value in given.items() if not is_service_link(self.named(name), value)}

    def origin(self, name: str) -> str:
        return "environment"

    def named(self, name: str) -> str:
        return variable(self.settings_cls, name)


class SecretFiles(PydanticBaseSettingsSource):
    """Secrets in files whose paths are in the variables `<NAME>_FILE`."""

    def __call__(self) -> dict[str, Any]:
        given, found = Environment(self.settings_cls)(), {}
        for name in secrets(self.settings_cls):
            if (path := self._path(name)) is not None:
                if name in given:
                    own = variable(self.settings_cls, name)
                    raise SettingsError(f"{own} and {own}_FILE are both set; set one of them")
                found[name] = _secret_in(self.named(name), path)
        return found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # __call__ does not use it

    def _path(self, name: str) -> str | None:
        return next((value for key, value in os.environ.items() if key.upper() == self.named(name)), None)

    def origin(self, name: str) -> str:
        return f"file {self._path(name)}"

    def named(self, name: str) -> str:
        return f"{variable(self.settings_cls, name)}_FILE"


class ConfigFile(PydanticBaseSettingsSource):
    """The settings file, by default `windowshop.toml`. A setting whose variable begins with WINDOWSHOP_WEB_ is in the
    table [web] of this file."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self._path, whole = read_config()
        self._table = table(settings_cls)
        content = whole.get(self._table, {}) if self._table else whole
        if not isinstance(content, dict):
            raise SettingsError(f"{self._path}: {self._table} must be a table: [{self._table}]")
        self._content = content

    def __call__(self) -> dict[str, Any]:
        no_value = self.config.get("env_parse_none_str")
        given = {name: self._content[name] for name in self.settings_cls.model_fields if name in self._content}
        found = {name: None if value == no_value else value for name, value in given.items()}
        for name in secrets(self.settings_cls):
            if (path := self._content.get(f"{name}_file")) is not None:
                where = self.named(f"{name}_file")
                if name in found:
                    raise SettingsError(f"{self.named(name)} and {name}_file are both set; set one of them")
                if not isinstance(path, str):
                    raise SettingsError(f"{where}: must be the path of a file")
                found[name] = _secret_in(where, path, self._path.parent)
        return found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # __call__ does not use it

    def origin(self, name: str) -> str:
        return str(self._path)

    def named(self, name: str) -> str:
        return f"{self._path}: {'.'.join(filter(None, (self._table, name)))}"


def sources(settings: type[BaseSettings]) -> tuple[Environment, SecretFiles, ConfigFile]:
    """Returns the sources. If several have a value for a setting, the first of them decides."""
    return Environment(settings), SecretFiles(settings), ConfigFile(settings)


def read_config() -> tuple[Path, dict[str, Any]]:
    """Returns the path and the content of the settings file. If WINDOWSHOP_CONFIG is unset and windowshop.toml does not
    exist, the content is empty. Raises SettingsError if WINDOWSHOP_CONFIG names a missing file, and if the settings
    file cannot be read or is not TOML."""
    named = os.environ.get(CONFIG)
    path = Path(named or CONFIG_FILE)
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            raise SettingsError(f"{CONFIG}: there is no file {path}") from None
        return path, {}
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # a TOMLDecodeError or a UnicodeDecodeError
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from error


def table(settings: type[BaseSettings]) -> str:
    """Returns the name of the table of the settings file that has these settings, or an empty string if they are at the
    top level of the file."""
    return str(settings.model_config.get("env_prefix")).removeprefix(PREFIX).strip("_").lower()


def check_names(known: Iterable[type[BaseSettings]]) -> None:
    """Raises SettingsError for a variable WINDOWSHOP_... or a key of the settings file that is no setting."""
    variables: set[str] = set()
    tables: dict[str, set[str]] = {}
    for settings in known:
        names = {*settings.model_fields, *(f"{name}_file" for name in secrets(settings))}
        variables |= {variable(settings, name) for name in names}
        tables[table(settings)] = names - {"config"}
    ours = {name: value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    links = [name for name, value in ours.items() if is_service_link(name, value)]
    if links:
        structlog.get_logger().debug("variables of Kubernetes services are ignored", names=links)
    unknown = [
        _unknown(name, name.upper(), variables)
        for name in sorted(ours)
        if name.upper() not in variables and name not in links
    ]
    path, whole = read_config()
    dotted = {".".join(filter(None, (each, name))) for each, names in tables.items() for name in names}
    unknown += [
        _unknown(f"{path}: {key}", key, dotted | set(filter(None, tables)))
        for key in _keys(whole, tables)
        if key not in dotted
    ]
    if unknown:
        raise SettingsError("; ".join(unknown), hint='"windowshop settings" lists the settings.')


def _unknown(shown: str, name: str, known: set[str]) -> str:
    [nearest] = get_close_matches(name, sorted(known), n=1, cutoff=0)
    return f"{shown} is not a setting; the nearest one is {nearest}"


def _keys(whole: Mapping[str, Any], tables: Iterable[str]) -> list[str]:
    keys: list[str] = []
    for key, value in whole.items():
        keys += [f"{key}.{name}" for name in value] if key in tables and isinstance(value, dict) else [key]
    return keys


def _secret_in(named: str, path: str, folder: Path = Path()) -> str:
    """Returns the content of a file without the line end. `named` is the setting that holds the path."""
    if not path:
        raise SettingsError(f"{named} names no file")
    try:
        with (folder / path).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as error:  # a ValueError for a path with NUL
        raise SettingsError(f"{named}: {path} cannot be read: {getattr(error, 'strerror', error)}") from error
    if len(content) > MAX_SECRET_BYTES:
        raise SettingsError(f"{named}: {path} has more than {MAX_SECRET_BYTES} bytes")
    try:
        secret = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SettingsError(f"{named}: {path} is not a text in UTF-8") from None
    if not secret.strip():
        raise SettingsError(f"{named}: {path} is empty")
    if "\n" in secret or "\0" in secret:
        raise SettingsError(f"{named}: {path} must have one line")
    return secret
