"""Defines the settings of catalog files at web addresses and from pipes (`WINDOWSHOP_FEED_...`)."""

from base64 import b64encode
from typing import Self

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from db.errors import SettingsError
from db.settings import EnvironmentSettings


class FeedSettings(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="WINDOWSHOP_FEED_", extra="ignore", env_ignore_empty=True)

    user: str | None = Field(
        None, description="User name for the server of a catalog file. WINDOWSHOP_FEED_PASSWORD is needed too."
    )
    password: SecretStr | None = Field(None, description="Password of WINDOWSHOP_FEED_USER (HTTP basic).")
    token: SecretStr | None = Field(
        None, description="Token that the server of a catalog file expects (HTTP bearer), instead of user and password."
    )
    max_bytes: int = Field(
        20_000_000_000,
        ge=1,
        description="Largest catalog file that is downloaded or read from a pipe, in bytes. For a compressed file, the "
        "compressed bytes count.",
    )
    seconds: float = Field(
        3600.0, gt=0, le=86_400, description="Time limit of one attempt to download a catalog file, in seconds."
    )
    stall_seconds: float = Field(
        60.0, gt=0, le=3600, description="Seconds without data after which an attempt to download a catalog file ends."
    )
    attempts: int = Field(
        3, ge=1, le=10, description="Largest number of attempts to download a catalog file before the load fails."
    )

    @classmethod
    def read(cls) -> Self:
        settings = super().read()
        settings.authorization()
        return settings

    def authorization(self) -> dict[str, str]:
        """Returns the header with the credentials, or an empty dict if none are set. Raises SettingsError if the
        settings are incomplete or invalid."""
        if (self.user is None) != (self.password is None):
            raise SettingsError("WINDOWSHOP_FEED_USER and WINDOWSHOP_FEED_PASSWORD are needed together")
        if self.token is None:
            if self.user is None or self.password is None:
                return {}
            if ":" in self.user:
                raise SettingsError("WINDOWSHOP_FEED_USER: a user name contains no colon")
            pair = f"{self.user}:{self.password.get_secret_value()}"
            try:
                return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
            except UnicodeEncodeError:
                raise SettingsError("WINDOWSHOP_FEED_USER and WINDOWSHOP_FEED_PASSWORD must be UTF-8") from None
        token = self.token.get_secret_value()
        if self.user is not None:
            raise SettingsError(
                "WINDOWSHOP_FEED_TOKEN and WINDOWSHOP_FEED_USER are two ways to log in", hint="Set one."
            )
        if not token.isascii() or not token.isprintable() or not token.strip():
            raise SettingsError("WINDOWSHOP_FEED_TOKEN: a token consists of printable ASCII characters")
        return {"Authorization": f"Bearer {token.strip()}"}
