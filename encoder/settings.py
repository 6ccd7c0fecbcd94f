"""Defines the settings of the encoder process (`WINDOWSHOP_ENCODER_...`)."""

import os
import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from db.fetching.limits import SCHEMES, FetchLimits
from db.images.messages import MAX_FILE_BYTES, MAX_PIXELS
from db.settings import EnvironmentSettings, Settings

_HOST_NAME = re.compile(r"\.?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_STORE = re.compile(rf"({'|'.join(SCHEMES)})://[^/\s:]+/([^:]*/)?")


class EncoderSettings(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="WINDOWSHOP_ENCODER_", extra="ignore")

    host: str = Field(
        "127.0.0.1", description="Address of the probes and metrics. 0.0.0.0: every address of the machine."
    )
    port: int | None = Field(
        None, ge=0, le=65535, description="Port of /health, /ready and /metrics. Unset: none. 0: any free port."
    )
    device: str = Field(
        "auto", description="Device that runs the models: auto (cuda, else mps, else cpu), or a device such as cuda:1."
    )
    engine: Literal["auto", "torch", "onnx"] = Field(
        "auto",
        description="What runs models on a CPU: torch, or ONNX Runtime with the model's export. auto: ONNX Runtime, "
        "but torch for a tower that is not exported and for an image tower in bfloat16 or float16. onnx: like auto, "
        "but an error if the export is missing or cannot be used.",
    )
    exports: Path | None = Field(
        None,
        description="Folder of the exports that `windowshop model add` and `windowshop model export` write. Unset: "
        "`exports` in `WINDOWSHOP_HOME`.",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Number type of the image tower of CLIP, SigLIP, and each model that open-clip-torch loads. auto: "
        "bfloat16 on CUDA. On a CPU, bfloat16 if three conditions hold: the CPU has instructions for it, the engine is "
        "not torch, and `windowshop model export` measured that the vectors are close enough to those in float32. "
        "Otherwise float32.",
    )
    compile: bool = Field(
        False,
        description="Compile CLIP's and SigLIP's image tower for full batches. This takes minutes at the start, then "
        "encoding is faster. No effect on a model that open-clip-torch loads.",
    )
    image_batch: int = Field(
        0, ge=0, le=4096, description="Number of images in a catalog batch. 0: 32 on a CPU, 512 elsewhere."
    )
    title_batch: int = Field(
        0, ge=0, le=4096, description="Number of titles in a catalog batch. 0: 128 on a CPU, 1024 elsewhere."
    )
    readers: int = Field(
        0,
        ge=0,
        le=128,
        description="Number of processes that decode images of the catalog. 0: one for each core, at most 32.",
    )
    decode_seconds: float = Field(
        20.0, gt=0, description="Time limit for decoding up to 16 images, in seconds. A slower process is killed."
    )
    lease_seconds: int = Field(
        30, ge=3, description="Seconds for which an encoder without a heartbeat keeps its claimed items."
    )
    query_batch: int = Field(32, ge=1, le=1024, description="Largest number of queries in one batch.")
    query_seconds: float = Field(
        1.0,
        gt=0,
        description="Compute time that a query batch should not exceed, in seconds. Measured times determine the "
        "number of queries in a batch.",
    )
    hung_seconds: int = Field(
        4, ge=1, description="Seconds after which another encoder may take the requests of a running query batch."
    )
    cache_rows: int = Field(
        100_000, ge=1, description="Largest number of query vectors in the cache. The oldest are deleted first."
    )
    max_pixels: int = Field(MAX_PIXELS, ge=1, description="Largest image that is decoded, in pixels.")
    max_file_bytes: int = Field(MAX_FILE_BYTES, ge=1, description="Largest image file that is read, in bytes.")
    fetch_max_bytes: int = Field(10_000_000, ge=1, description="Largest image that is fetched, in bytes.")
    fetch_seconds: float = Field(
        10.0, gt=0, le=600, description="Time limit of one attempt to fetch an image, in seconds, including redirects."
    )
    fetch_attempts: int = Field(
        1,
        ge=1,
        le=10,
        description="Largest number of attempts in a row to fetch an image whose server is busy or does not answer. "
        "Further attempts follow for about a day, after growing pauses.",
    )
    fetch_per_host: int = Field(
        4, ge=1, le=100, description="Largest number of images that are fetched from one host at the same time."
    )
    fetch_connections: int = Field(
        32, ge=1, le=1000, description="Largest number of images that are fetched at the same time."
    )
    fetch_networks: Annotated[list[IPv4Network | IPv6Network], NoDecode] = Field(
        [],
        description="Private networks from which images may be fetched, separated by commas, such as 10.1.0.0/16.",
    )
    fetch_hosts: Annotated[list[str], NoDecode] = Field(
        [],
        description="Hosts from which images may be fetched although their addresses are private, separated by commas, "
        "such as images.corp.example. A leading dot allows all hosts below a name: .corp.example.",
    )
    fetch_ports: Annotated[list[Annotated[int, Field(ge=1, le=65535)]], NoDecode] = Field(
        [], description="Ports from which images may be fetched, besides 80 and 443, separated by commas."
    )
    object_stores: Annotated[list[str], NoDecode] = Field(
        [],
        description="Prefixes of object stores from which images may be read, separated by commas, such as "
        "s3://shop-images/. Unset: none.",
    )

    @field_validator("fetch_networks", "fetch_hosts", "fetch_ports", "object_stores", mode="before")
    @classmethod
    def _listed(cls, written: Any) -> Any:
        return [part.strip() for part in written.split(",") if part.strip()] if isinstance(written, str) else written

    @field_validator("fetch_hosts")
    @classmethod
    def _hosts(cls, written: list[str]) -> list[str]:
        hosts = [each.lower().removeprefix("*") for each in written]
        for each in hosts:
            if not _HOST_NAME.fullmatch(each):
                raise ValueError(
                    f'"{each}" is not a host name. Give a name without scheme and port, such as images.corp.example'
                )
        return hosts

    @field_validator("object_stores")
    @classmethod
    def _prefixes(cls, written: list[str]) -> list[str]:
        """End each prefix with a slash, so that s3://shop does not allow s3://shop-secrets."""
        prefixes = [each if each.endswith("/") else f"{each}/" for each in written]
        for each in prefixes:
            if not _STORE.fullmatch(each):
                raise ValueError(f'"{each}" is not a prefix such as s3://bucket/; the schemes are {", ".join(SCHEMES)}')
        return prefixes

    def fetch_limits(self) -> FetchLimits:
        return FetchLimits(
            max_bytes=self.fetch_max_bytes,
            seconds=self.fetch_seconds,
            attempts=self.fetch_attempts,
            per_host=self.fetch_per_host,
            connections=self.fetch_connections,
            networks=self.fetch_networks,
            hosts=self.fetch_hosts,
            ports=self.fetch_ports,
            object_stores=self.object_stores,
        )

    def export_folder(self) -> Path:
        return self.exports or Settings.read().home / "exports"

    def decoders(self) -> int:
        return self.readers or min(os.cpu_count() or 1, 32)

    def images_a_batch(self, device: str) -> int:
        return self.image_batch or (32 if device == "cpu" else 512)

    def titles_a_batch(self, device: str) -> int:
        return self.title_batch or (128 if device == "cpu" else 1024)
