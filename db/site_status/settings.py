"""Defines the thresholds of `windowshop status` (`WINDOWSHOP_STATUS_...`)."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from db.settings import EnvironmentSettings


class StatusSettings(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="WINDOWSHOP_STATUS_", extra="ignore")

    lag_seconds: float = Field(
        10,
        gt=0,
        le=600,
        description="Warn if a standby needs longer than this to replay what the primary has written, in seconds. The "
        "command waits up to this time for a standby that is behind.",
    )
    quarantined: int = Field(100, ge=0, description="Warn if more titles and images than this are in quarantine.")
    work_seconds: float = Field(
        3_600, ge=0, description="Warn if a title or an image that is due has waited longer than this, in seconds."
    )
    transaction_seconds: float = Field(
        3_600, ge=0, description="Warn if a transaction has been open longer than this, in seconds."
    )
    connections_share: float = Field(
        0.85, gt=0, le=1, description="Warn if a larger share than this of the server's connections is in use."
    )
    probe_ms: int = Field(
        5_000,
        ge=100,
        le=600_000,
        description="Longest time of each of the two steps of --probe, in milliseconds.",
    )
