"""The tests of one process share a real PostgreSQL server. A test that requests `database` gets a fresh, migrated
database.

The server is the embedded server, in a temporary home folder. The database of a test is a copy of a migrated template,
so a test may commit without an effect on other tests.
"""

import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import structlog

from db.embedded import file_lock
from db.embedded.server import Server, attach
from db.engine import Database
from db.roles import Role
from db.settings import Settings
from migrations.upgrade import upgrade
from tests.support.databases import Databases, dropped_afterwards, keep_logins
from tests.support.schedule import GroupScheduling, order

pytest_plugins = ["tests.support.shop"]
# Tests run in parallel, so further threads of torch or numpy would take processor cores from other tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# By default, structlog prints the variables of each frame of a traceback, which takes seconds of processor time.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Excludes the collected tests and their modules from each later garbage collection, because they live until the
    process ends."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: order(item.nodeid))


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist, this hook is unknown to pytest
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    return GroupScheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def _no_developer_settings() -> Iterator[None]:
    """Removes the developer's Windowshop settings from the environment, so that no test depends on those settings.
    Keeps Hugging Face's libraries offline."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("WINDOWSHOP_")}
    os.environ["HF_HUB_OFFLINE"] = "1"
    yield
    os.environ.update(kept)


@pytest.fixture(autouse=True)
def _databases_of_the_test_are_dropped() -> Iterator[None]:
    """Drops the databases that the test or its own fixtures create. The fixtures of modules and of the session are set
    up before this fixture, so their databases stay."""
    with dropped_afterwards():
        yield


def _in_memory(needed: int = 6 << 30) -> Path | None:
    """Returns the folder of a file system in memory that has `needed` free bytes and may hold programs, or None if
    there is no such file system. Deletes the folders that killed test runs left there more than an hour ago.

    On a disk, a copy of a database takes several times the processor time, and hundreds of tests copy a database.
    """
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return None
    for left in folder.glob("windowshop-tests-*/server/users.lock"):
        if time.time() - left.stat().st_mtime > 3600 and not file_lock.is_held(left, shared=True):
            shutil.rmtree(left.parents[1], ignore_errors=True)
    found = os.statvfs(folder)
    free = min(found.f_bavail * found.f_frsize, psutil.virtual_memory().available)
    return folder if free >= needed and not found.f_flag & os.ST_NOEXEC else None


@pytest.fixture(scope="session")
def public_folder() -> Iterator[Path]:
    """Yields a folder that the server's operating system user can read. That user cannot read pytest's tmp_path."""
    path = Path(tempfile.mkdtemp(prefix="windowshop-tests-", dir=_in_memory()))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def server(public_folder: Path) -> Iterator[Server]:
    with attach(public_folder / "server") as running:
        yield running


@pytest.fixture(scope="session")
def server_home(public_folder: Path, server: Server) -> Path:
    return public_folder / "server"


@pytest.fixture(scope="session")
def databases(server: Server, server_home: Path) -> Databases:
    return Databases(server, server_home)


@pytest.fixture(scope="session")
def template(databases: Databases, public_folder: Path) -> str:
    """Returns the name of a migrated database without a model."""
    name = databases.create()
    upgrade(databases.open(name), Settings(home=public_folder / "template-home"))
    return name


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def database(databases: Databases, template: str) -> Database:
    """Returns a fresh migrated database without a model."""
    return databases.copy(template)


@pytest.fixture(scope="session")
def clip_folder(public_folder: Path) -> Path:
    """Returns the folder of a tiny CLIP model with 24 dimensions and random weights. The encoder can load the model."""
    from tests.support import tiny_models

    return tiny_models.make_clip(public_folder / "tiny-clip")


@pytest.fixture(scope="session")
def clip_template(databases: Databases, template: str, clip_folder: Path, public_folder: Path) -> tuple[str, Path]:
    """Returns the name of a migrated database that serves the tiny CLIP, and the home folder with the model's
    revisions."""
    from db.lifecycle.serving import serve_model
    from encoder.models.loading import load
    from migrations.model_revisions import NewModel, add_model

    database = databases.copy(template)
    home = public_folder / "clip-home"
    model = load(str(clip_folder))
    add_model(database, Settings(home=home), NewModel("clip", model.source, model.revision, model.dimension))
    serve_model(database, "clip")
    return str(database.write.database), home


@pytest.fixture
def clip_database(databases: Databases, clip_template: tuple[str, Path], settings: Settings) -> Database:
    """Returns a fresh database that serves the tiny CLIP. `settings.home` has the model's revisions."""
    name, home = clip_template
    shutil.copytree(home, settings.home)
    return databases.copy(name)


@pytest.fixture
def environment(settings: Settings) -> Callable[[Database], dict[str, str]]:
    """Returns a function that takes a database and optionally a role, and returns the environment of a `windowshop`
    process."""

    def variables(database: Database, role: Role | None = None) -> dict[str, str]:
        address = database.url(role).set(drivername="postgresql").render_as_string(hide_password=False)
        if role is None:
            keep_logins(database, settings.home)
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("WINDOWSHOP_")},
            "WINDOWSHOP_DATABASE_URL": address,
            "WINDOWSHOP_HOME": str(settings.home),
            "WINDOWSHOP_LOG_FORMAT": "text",  # as on a terminal
            "HF_HUB_OFFLINE": "1",
        }

    return variables
