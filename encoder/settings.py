"""Settings of the encoder process (`WINDOWSHOP_ENCODER_...`)."""

import os
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from db.settings import EnvironmentSettings


class EncoderSettings(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="WINDOWSHOP_ENCODER_", extra="ignore")

    device: str = Field("auto", description="auto (cuda, else mps, else cpu), or a torch device such as cuda:1.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Of CLIP's and SigLIP's image tower. auto: bfloat16 on CUDA, float32 elsewhere."
    )
    compile: bool = Field(
        False,
        description="Compile CLIP's and SigLIP's image tower for full batches: some minutes at start, then faster.",
    )
    image_batch: int = Field(0, ge=0, le=4096, description="Pictures a catalog batch. 0: 32 on a CPU, 512 elsewhere.")
    title_batch: int = Field(0, ge=0, le=4096, description="Titles a catalog batch. 0: 128 on a CPU, 1024 elsewhere.")
    readers: int = Field(0, ge=0, le=128, description="Processes that open pictures. 0: one a core, at most 32.")
    decode_seconds: float = Field(
        20.0, gt=0, description="Opening a handful of pictures may take this long before its process is ended."
    )
    lease_seconds: int = Field(30, ge=3, description="How long a silent encoder keeps what it claimed.")
    query_batch: int = Field(32, ge=1, le=1024, description="Queries encoded at once, at most.")
    query_seconds: float = Field(1.0, gt=0, description="Measured compute one query batch is bounded to.")
    hung_seconds: int = Field(
        4, ge=1, description="A query batch that takes longer frees its requests for another encoder."
    )
    cache_rows: int = Field(100_000, ge=1, description="Query vectors kept in the cache; the oldest go first.")
    max_pixels: int = Field(50_000_000, ge=1, description="Largest picture that is decoded, in pixels.")
    max_file_bytes: int = Field(50_000_000, ge=1, description="Largest picture file that is read, in bytes.")

    def decoders(self) -> int:
        return self.readers or min(os.cpu_count() or 1, 32)

    def pictures_a_batch(self, device: str) -> int:
        return self.image_batch or (32 if device == "cpu" else 512)

    def titles_a_batch(self, device: str) -> int:
        return self.title_batch or (128 if device == "cpu" else 1024)
