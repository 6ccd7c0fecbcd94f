"""Defines the settings of the process that runs the jobs (`WINDOWSHOP_JOBS_...`)."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from db.settings import EnvironmentSettings


class JobsSettings(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="WINDOWSHOP_JOBS_", extra="ignore")

    host: str = Field("127.0.0.1", description="Address of the probes. 0.0.0.0: every address of the machine.")
    port: int | None = Field(
        None, ge=0, le=65535, description="Port of /health, /ready and /metrics. Unset: none. 0: any free port."
    )
    event_days: int = Field(
        365, ge=1, le=36_500, description="Days for which events of shoppers are kept. Older ones are deleted."
    )
    query_days: int = Field(
        90,
        ge=1,
        le=36_500,
        description="Days for which the vector and the text of a query are kept in the cache. A later search encodes "
        "the query again.",
    )
    feed_seconds: float = Field(
        21_600.0, gt=0, le=604_800, description="Time limit of one load of a feed, in seconds. A longer load is ended."
    )
    dead_seconds: float = Field(
        30.0,
        ge=2,
        le=3600,
        description="Seconds without a heartbeat after which a process counts as dead, so that another one takes up "
        "its jobs.",
    )
