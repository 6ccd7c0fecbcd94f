"""Defines the settings that every process shares (`WINDOWSHOP_...`), and how all settings are read."""

import os
from pathlib import Path
from typing import Self

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from db.errors import SettingsError
from db.setting_sources import sources, variable


def default_home() -> Path:
    """Return the user's data folder. For root, return a system folder, because the embedded server of root runs as
    another user."""
    return Path("/var/lib/windowshop") if os.geteuid() == 0 else user_data_path("windowshop")


class EnvironmentSettings(BaseSettings):
    """Settings from environment variables that begin with the class's prefix, from files with secrets, and from
    `windowshop.toml`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, *sources(settings_cls)

    @classmethod
    def read(cls) -> Self:
        """Read the settings. Raises a SettingsError that names the first setting with a wrong value."""
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            found = next((source.named(name) for source in sources(cls) if name in source()), variable(cls, name))
            raise SettingsError(f"{found}: {first['msg']}") from error

    @classmethod
    def origins(cls) -> dict[str, str]:
        """Return for each setting where its value comes from."""
        found = dict.fromkeys(cls.model_fields, "default")
        for source in reversed(sources(cls)):
            found |= {name: source.origin(name) for name in source()}
        return found


class Settings(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="WINDOWSHOP_", extra="ignore")

    home: Path = Field(
        default_factory=default_home,
        description="Folder for the embedded server's data and the site's own model revisions.",
    )
    config: Path | None = Field(
        None,
        description="TOML file with settings. If it is unset, a file windowshop.toml in the working folder is read.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="postgresql:// address of the database, with the login of the process. It may name several hosts: "
        "db1:5432,db2:5432. If it is unset, Windowshop runs the embedded server.",
    )
    read_database_url: SecretStr | None = Field(
        None,
        description="postgresql:// address for searches, with the login web_reader of the web service. It often leads "
        "to a streaming replica. It may also name several replicas: with ?load_balance_hosts=random, they share the "
        "searches. If it is unset, searches use WINDOWSHOP_DATABASE_URL.",
    )
    role_prefix: str = Field(
        "shop_",
        pattern=r"^[a-z][a-z0-9_]{0,30}$",
        description="Prefix of the names of the site's roles, such as shop_web_reader. All databases of a server share "
        "its roles. So each site on a server needs a prefix of its own.",
    )
    gateway_host: str | None = Field(
        None,
        description="Host, or several hosts such as db1:5432,db2:5432, at which the database server reaches itself and "
        "a replica reaches its primary. If it is unset, the hosts in WINDOWSHOP_DATABASE_URL are used.",
    )
    gateway_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port for each host of WINDOWSHOP_GATEWAY_HOST that names none. If it is unset, the server's port "
        "is used.",
    )
    gateway_sslrootcert: str | None = Field(
        None,
        description="Path of a file with CA certificates, on the machine of the database server. If it is set, the "
        "gateway checks the server's certificate and host name (sslmode=verify-full). If it is unset, an upgrade "
        "keeps sslmode and sslrootcert of an existing gateway; a gateway that the upgrade creates uses TLS where the "
        "server has it, and checks no certificate. To end the check: ALTER SERVER shop_primary OPTIONS (DROP sslmode, "
        "DROP sslrootcert).",
    )
    gateway_password: SecretStr | None = Field(
        None,
        description="Password of the gateway role. If it is unset, the first upgrade creates a random password and "
        "keeps it in the database's user mapping.",
    )
    login_passwords: Path | None = Field(
        None,
        description="Folder with a file for each login. The file has the login's name, such as web_reader, and "
        "contains its password. On a server of your own, `db upgrade` sets these passwords.",
    )
    statement_timeout_ms: int = Field(
        15_000,
        ge=100,
        description="Longest time that a search statement of the command line may run, in milliseconds.",
    )
