"""Settings of the encoder process (`WINDOWSHOP_ENCODER_...`)."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from db.settings import EnvironmentSettings


class EncoderSettings(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="WINDOWSHOP_ENCODER_", extra="ignore")

    device: str = Field("auto", description="auto (cuda, else mps, else cpu), or a torch device such as cuda:1.")
    image_batch: int = Field(32, ge=1, le=4096, description="Pictures a catalog batch.")
    title_batch: int = Field(128, ge=1, le=4096, description="Titles a catalog batch.")
    readers: int = Field(0, ge=0, le=64, description="Threads that open pictures. 0: one a core, at most 8.")
    lease_seconds: int = Field(30, ge=3, description="How long a silent encoder keeps what it claimed.")
    query_batch: int = Field(32, ge=1, le=1024, description="Queries encoded at once, at most.")
    query_seconds: float = Field(1.0, gt=0, description="Measured compute one query batch is bounded to.")
    hung_seconds: int = Field(
        4, ge=1, description="A query batch that takes longer frees its requests for another encoder."
    )
    cache_rows: int = Field(100_000, ge=1, description="Query vectors kept in the cache; the oldest go first.")
    max_pixels: int = Field(50_000_000, ge=1, description="Largest picture that is decoded, in pixels.")
    max_file_bytes: int = Field(50_000_000, ge=1, description="Largest picture file that is read, in bytes.")
