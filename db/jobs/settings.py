"""Defines the settings of the process that runs the jobs (`WINDOWSHOP_JOBS_...`)."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

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
    webhook_seconds: float = Field(
        10.0, gt=0, le=20, description="Time limit of one attempt to send a message of a webhook, in seconds."
    )
    webhook_networks: Annotated[list[IPv4Network | IPv6Network], NoDecode] = Field(
        [],
        description="Private networks to which messages of webhooks may be sent, separated by commas, such as "
        "10.1.0.0/16.",
    )
    webhook_hosts: Annotated[list[str], NoDecode] = Field(
        [],
        description="Hosts to which messages of webhooks may be sent although their addresses are private, separated "
        "by commas, such as erp.corp.example. A leading dot allows all hosts below a name.",
    )
    webhook_ports: Annotated[list[Annotated[int, Field(ge=1, le=65535)]], NoDecode] = Field(
        [], description="Ports to which messages of webhooks may be sent, besides 80 and 443, separated by commas."
    )

    @field_validator("webhook_networks", "webhook_hosts", "webhook_ports", mode="before")
    @classmethod
    def _listed(cls, written: Any) -> Any:
        return [part.strip() for part in written.split(",") if part.strip()] if isinstance(written, str) else written

    @field_validator("webhook_hosts")
    @classmethod
    def _hosts(cls, written: list[str]) -> list[str]:
        return [each.lower().removeprefix("*") for each in written]
