"""Runs what measurements need: a temporary site with an embedded server and one model, encoders, and the web
service."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import text

from db.catalog.product import Image, Product
from db.catalog.store import staging, upsert
from db.engine import Database, open_database
from db.lifecycle.serving import serve_model
from db.roles import Role
from db.settings import Settings
from encoder import starter
from loader.sample import IMAGES
from migrations.model_revisions import NewModel, add_model


@dataclass(frozen=True)
class Site:
    database: Database
    settings: Settings
    model: str = starter.NAME

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "WINDOWSHOP_HOME": str(self.settings.home), "HF_HUB_OFFLINE": "1"}

    def load_images(self, count: int) -> list[Path]:
        """Add `count` products. If the sample has fewer images, several products share an image. Returns the image of
        each product."""
        images = sorted(IMAGES.glob("*.webp"))
        chosen = [images[n % len(images)] for n in range(count)]
        with self.database.connect(Role.APP) as conn, conn.begin():
            with staging(conn) as stage:
                for number, image in enumerate(chosen):
                    stage(Product(f"p{number:06}", f"{image.stem} {number}", images=(Image(image.name),)))
            upsert(conn, image_root=IMAGES)
        return chosen

    def forget_vectors(self, *, titles: bool = True) -> None:
        """Delete all image vectors and put every image on the work list again. With `titles`, do the same for
        titles."""
        parts = {"image": "shop.product_image"} | ({"title": "shop.product"} if titles else {})
        with self.database.connect(None) as conn, conn.begin():
            for part, source in parts.items():
                conn.execute(text(f"truncate shop.{self.model}_{part}"))
                conn.execute(
                    text(
                        "insert into shop_private.work (product_id, model_id, part) select product_id, model_id, "
                        f"'{part}' from {source}, shop.model on conflict do nothing"
                    )
                )

    def left(self) -> int:
        """Returns the number of work items that are not encoded yet and not in quarantine."""
        with self.database.connect(None) as conn:
            return int(conn.scalar(text("select count(*) from shop_private.work where state <> 'quarantined'")) or 0)


@contextmanager
def site(model: NewModel | None = None) -> Iterator[Site]:
    """Yields a site that serves `model`, by default the starter."""
    home = Path(tempfile.mkdtemp(prefix="windowshop-bench-"))
    home.chmod(0o755)
    settings = Settings(home=home / "home")
    try:
        with open_database(settings) as database:
            model = model or NewModel(starter.NAME, starter.NAME, starter.revision(), starter.DIMENSION)
            add_model(database, settings, model)
            serve_model(database, model.name)
            yield Site(database, settings, model.name)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def encoder(site: Site, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Yields a `windowshop encode` process that is ready to answer queries."""
    log = site.settings.home / "encoder.log"
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "windowshop", "encode"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**site.environment, **(env or {})}, stdout=output, stderr=output)
    try:
        while b"encoder is ready" not in log.read_bytes():
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextmanager
def serving(
    environment: Mapping[str, str], settings: Mapping[str, str] | None = None, *, quiet: bool = False
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `windowshop serve` as a process without rate limits. Yields its address and the process."""
    own = {
        "WINDOWSHOP_WEB_RATE_PER_ADDRESS": "0",
        "WINDOWSHOP_WEB_RATE_PER_KEY": "0",
        "WINDOWSHOP_WEB_MCP_CALLS_PER_HOUR": "0",
        "WINDOWSHOP_WEB_MCP_ROWS_PER_HOUR": "0",
        "WINDOWSHOP_WEB_METRICS_PORT": "null",
        "WINDOWSHOP_WEB_API_KEYS": "off",
    }
    if quiet:
        own |= {"WINDOWSHOP_LOG_FORMAT": "text", "WINDOWSHOP_LOG_LEVEL": "error"}  # no line for a request
    command = [sys.executable, "-m", "windowshop", "serve", "--port", "0"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**environment, **own, **(settings or {})}, stderr=log, start_new_session=True
        )
        try:
            yield _address(process, log), process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _address(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    while True:
        said = os.pread(log.fileno(), 2000, 0).decode()
        if "Serving at " in said and said.endswith("\n"):
            return re.split(r'[\s"]', said.split("Serving at ")[1])[0]
        if process.poll() is not None:
            raise RuntimeError(said)
        time.sleep(0.05)
