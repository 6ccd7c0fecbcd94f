"""Defines the settings of the web service (`WINDOWSHOP_WEB_...`), which are read once."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from db.settings import EnvironmentSettings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ROOT_PATH = r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){0,8}"  # a path prefix, or nothing
# The first part of each address of the service. A prefix that begins with one of them would be ambiguous.
ROUTES = (
    "v1", "search", "products", "facets", "events", "images", "health", "ready", "openapi", "docs", "picture", "static",
    "mcp", "staff", "product", "variants", "similar", "suggestions", "robots.txt", "sitemap.xml", "sitemap",
)  # fmt: skip


class WebSettings(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="WINDOWSHOP_WEB_", extra="ignore", env_parse_none_str="null")

    host: str = Field(
        "127.0.0.1", description="Address at which the service listens. 0.0.0.0: every address of the machine."
    )
    port: int = Field(8000, ge=0, le=65535, description="Port at which the service listens. 0: any free port.")
    metrics_host: str = Field("127.0.0.1", description="Address of /metrics. 0.0.0.0: every address of the machine.")
    metrics_port: int | None = Field(9464, ge=0, le=65535, description="Port of /metrics. `null`: no metrics.")
    api_keys: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether requests need an API key. auto: yes, unless the database is the embedded server, the "
        "service listens on loopback only, and none of the settings for a proxy is set: "
        "`WINDOWSHOP_WEB_ALLOWED_HOSTS`, `WINDOWSHOP_WEB_TRUSTED_PROXIES`, `WINDOWSHOP_WEB_ROOT_PATH` and "
        "`WINDOWSHOP_WEB_PUBLIC_URL`.",
    )
    deadline_ms: int = Field(
        10_000,
        ge=100,
        le=600_000,
        description="Longest time of a request in milliseconds, including its database statements. The time in which "
        "its body arrives does not count. Some requests may take longer, such as exports.",
    )
    upload_ms: int = Field(
        60_000,
        ge=100,
        le=3_600_000,
        description="Longest time in milliseconds in which the body of a request may arrive. If the value is below "
        "`WINDOWSHOP_WEB_DEADLINE_MS`, that setting is the limit instead. A body may take "
        "`WINDOWSHOP_WEB_DEADLINE_MS`, and one more second for each 10 kB that have arrived.",
    )
    encode_ms: int = Field(
        3_000,
        ge=10,
        le=600_000,
        description="Milliseconds for which a search waits until its query is encoded, at most half of "
        "`WINDOWSHOP_WEB_DEADLINE_MS`.",
    )
    connections: int = Field(
        8,
        ge=1,
        le=500,
        description="Largest number of searches and other reads that run at the same time, each on a connection to the "
        "database.",
    )
    queue: int = Field(
        16,
        ge=0,
        le=10_000,
        description="Largest number of reading requests that may wait for a connection. As many writing requests may "
        "wait too. Further requests get a 503.",
    )
    max_lag_seconds: int = Field(
        10,
        ge=3,
        le=86_400,
        description="Largest lag, in seconds, of a standby that answers searches. Searches leave a standby that lags "
        "more. While all standbys lag more, searches go to the primary.",
    )
    max_requests: int = Field(
        256,
        ge=1,
        le=100_000,
        description="Largest number of requests that may be open at the same time. Further requests get a 503.",
    )
    max_body_bytes: int = Field(
        16_000_000,
        ge=1_000,
        description="Largest request body, in bytes. An image of 10 MB has 14 million bytes in base64.",
    )
    rate_per_key: int = Field(
        6_000, ge=0, description="Largest number of requests per minute with one API key. 0: no limit."
    )
    rate_per_address: int = Field(
        600,
        ge=0,
        description="Largest number of requests per minute from one client address without a valid key. 0: no limit.",
    )
    trusted_proxies: Annotated[list[IPv4Network | IPv6Network], NoDecode] = Field(
        [],
        description="Networks of proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Prefix are trusted, "
        "separated by commas, such as 10.0.0.0/8.",
    )
    root_path: str = Field(
        "",
        description="Path prefix below which a proxy serves this service, such as /shop. The proxy may pass the prefix "
        "on or remove it. Not needed for a trusted proxy that sends X-Forwarded-Prefix.",
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        [],
        description="Host names by which clients may address the service, separated by commas, such as "
        "shop.example,*.shop.example. `*`: all. Loopback names are always allowed. Unset: all names while API keys are "
        "on, otherwise loopback names only.",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[A-Za-z0-9.\[\]:-]+$",
        description="Scheme and host by which visitors reach the page, such as https://shop.example. The page's "
        "absolute addresses, such as those in the sitemap and in the data for search engines, begin with it. Unset: "
        "the scheme and host of the request.",
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        [],
        description="Origins, separated by commas, whose pages may call the API, such as https://shop.example.",
    )
    fetch_hosts: Annotated[list[str], NoDecode] = Field(
        [],
        description="Hosts from which the image of a search may be fetched although their addresses are private, "
        "separated by commas, such as images.shop.internal. `.shop.internal` allows all names below it.",
    )
    fetch_networks: Annotated[list[IPv4Network | IPv6Network], NoDecode] = Field(
        [],
        description="Private networks from which the image of a search may be fetched, separated by commas.",
    )
    fetch_ports: Annotated[list[Annotated[int, Field(ge=1, le=65535)]], NoDecode] = Field(
        [], description="Ports from which the image of a search may be fetched, besides 80 and 443."
    )
    image_root: Path | None = Field(
        None,
        description="Folder at which relative image paths in PUT /products start. Every encoder needs the same folder. "
        "Unset: only web addresses, and paths that the product already has, are accepted.",
    )
    public_page: bool = Field(
        True,
        description="Serve the search page at `/`. The page needs no API key. `false`: no page.",
    )
    theme: Path | None = Field(
        None,
        description="Folder with the shop's own name, logo, colours and templates for the page "
        "([how a shop makes it its own](page.md#how-a-shop-makes-it-its-own)). Unset: the page's own look.",
    )
    record_events: bool = Field(
        False,
        description="Record the searches and clicks of the page's visitors as events, without cookies "
        "([what the page records](page.md#what-the-page-records)).",
    )
    languages: Annotated[list[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]], NoDecode] = Field(
        ["en", "de", "fr", "es", "nl", "pl", "tr", "ja", "ar"],
        min_length=1,
        description="Languages of the page, separated by commas. A visitor gets the language that the browser "
        "prefers, or the first of the list if the browser accepts none of them. Unset: also the languages of "
        "the theme.",
    )
    frame_ancestors: Annotated[list[str], NoDecode] = Field(
        [],
        description="Origins whose pages may show the page in a frame, separated by commas, such as "
        "https://shop.example. `self`: pages of the same origin. Unset: none.",
    )
    staff_page: bool = Field(
        True,
        description="Serve the page for staff at `/staff`. While API keys are on, it asks for a key of scope admin. "
        "`false`: no page.",
    )
    public_catalogs: Annotated[list[str], NoDecode] = Field(
        [],
        description="Catalogs that the page and image addresses show without an API key, separated by commas. "
        "`*`: all. While API keys are off, all catalogs are shown.",
    )
    attributes: Annotated[list[str], NoDecode] = Field(
        ["*"],
        description="Names of the attributes that REST shows, separated by commas, such as glaze,weight. `*`: all. "
        "Filters, facets, sorts and groups of REST cannot read other attributes. But a search by a text finds products "
        "by the words of all attributes, and `exact_match` may name a hidden attribute: keep secrets out of "
        "attributes.",
    )
    mcp: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether the service offers its searches to assistants at /mcp. auto: yes, if the extra `mcp` of "
        "the package is installed.",
    )
    mcp_key: SecretStr | None = Field(
        None,
        description="API key that `windowshop mcp` uses. The command is limited to the key's scopes, catalogs and "
        "filter. Unset: it reads all that its database login may read.",
    )
    mcp_calls_per_hour: int = Field(
        1_000,
        ge=0,
        le=1_000_000,
        description="Largest number of calls of MCP tools per hour with one API key, or from one address without a "
        "key. 0: no limit.",
    )
    mcp_rows_per_hour: int = Field(
        20_000,
        ge=0,
        le=100_000_000,
        description="Largest number of rows per hour that calls of MCP tools may ask for, with one API key or "
        "from one address without a key. 0: no limit.",
    )
    log_queries: bool = Field(False, description="Write the text of each search to the log.")
    log_labels: bool = Field(
        False,
        description="Write the catalog of each search, and the values of fields that its filter requires, to the log. "
        '"windowshop index advise" reads these lines.',
    )

    @property
    def is_local(self) -> bool:
        """Returns whether only this machine can send requests. A proxy on this machine passes on requests of others, so
        a service with a setting for a proxy is not local."""
        behind_proxy = self.allowed_hosts or self.trusted_proxies or self.root_path or self.public_url
        return self.host in LOOPBACK and not behind_proxy

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, value: str) -> str:
        value = value.rstrip("/")
        if not re.fullmatch(ROOT_PATH, value):
            raise ValueError("give a path such as /shop, of letters, digits and the signs . _ ~ -")
        if value.split("/")[1:2] and value.split("/")[1] in ROUTES:
            raise ValueError(
                f"addresses of the service begin with /{value.split('/')[1]}; give another prefix, or let the proxy "
                "remove the prefix and send X-Forwarded-Prefix"
            )
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: list[str]) -> list[str]:
        for host in value:
            is_name = re.fullmatch(r"(\*\.)?[a-z0-9._:-]+", host.lower()) and host.count(":") != 1  # one colon: a port
            if host != "*" and not is_name:
                raise ValueError(f"{host!r} is not a host name without a port, such as shop.example or *.shop.example")
        return [host.lower() for host in value]

    @field_validator("frame_ancestors")
    @classmethod
    def _check_frame_ancestors(cls, value: list[str]) -> list[str]:
        for source in value:
            if source != "self" and not re.fullmatch(r"https?://(\*\.)?[a-z0-9.-]+(:[0-9]{1,5})?", source):
                raise ValueError(f"{source!r} is neither self nor an origin such as https://shop.example")
        return ["'self'" if source == "self" else source for source in value]

    @field_validator(
        "trusted_proxies", "cors_origins", "attributes", "public_catalogs", "allowed_hosts", "fetch_hosts",
        "fetch_networks", "fetch_ports", "frame_ancestors", "languages",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
