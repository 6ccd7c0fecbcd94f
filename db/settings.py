"""Settings that every process shares. A process reads them once from the environment (`WINDOWSHOP_...`)."""

import os
from pathlib import Path
from typing import Self

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.errors import SettingsError


def default_home() -> Path:
    """Return the user's data folder, or for root a system folder, because the server then runs as another user."""
    return Path("/var/lib/windowshop") if os.geteuid() == 0 else user_data_path("windowshop")


class EnvironmentSettings(BaseSettings):
    """Settings read from environment variables that begin with the class's prefix."""

    @classmethod
    def read(cls) -> Self:
        """Read the environment. Raises SettingsError that names the wrong variable."""
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = str(cls.model_config.get("env_prefix")) + str(first["loc"][0]).upper()
            raise SettingsError(f"{name}: {first['msg']}") from error


class Settings(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="WINDOWSHOP_", extra="ignore")

    home: Path = Field(
        default_factory=default_home,
        description="Folder for the embedded server's data and the site's own model revisions.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="postgresql:// address of the database that is written to. Unset: the embedded server.",
    )
    read_database_url: SecretStr | None = Field(
        None,
        description="postgresql:// address searches go to, such as a streaming replica. Unset: the database above.",
    )
    role_prefix: str = Field(
        "shop_",
        pattern=r"^[a-z][a-z0-9_]{0,30}$",
        description="What the names of the five roles (owner, gateway, encoder, app, analyst) begin with; "
        "roles are shared by all databases of a server.",
    )
    gateway_host: str | None = Field(
        None,
        description="Host at which the database server reaches itself (or its primary). Unset: the host in the "
        "database address.",
    )
    gateway_port: int | None = Field(
        None, ge=1, le=65535, description="Port that goes with the gateway host. Unset: the server's own port."
    )
    gateway_password: SecretStr | None = Field(
        None,
        description="Password of the gateway role. Unset: a random one is made on the first upgrade and kept in "
        "the database's user mapping.",
    )
    statement_timeout_ms: int = Field(
        15_000, ge=100, description="Longest time one search statement of the command line may run, in milliseconds."
    )
