"""Fixtures open the page in a real browser. The starter model has encoded a part of the sample catalog."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from db.engine import Database
from db.lifecycle.serving import serve_model
from db.settings import Settings
from migrations.model_revisions import NewModel, add_model
from tests.support.browser import TIMEOUT_SECONDS
from tests.support.databases import Databases
from tests.support.web_service import LONG_DEADLINE, SETTINGS, encoding
from web.server import running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from encoder.models.loading import Model

SCREENSHOTS = bool(os.environ.get("WINDOWSHOP_SCREENSHOTS"))
_CHROMIUM = os.environ.get("WINDOWSHOP_CHROMIUM")  # read at import, before tests/conftest.py removes the variable
_REQUIRED = bool(os.environ.get("WINDOWSHOP_REQUIRE_BROWSER"))
# The first name is Chromium without the parts of a desktop browser. It takes much less processor time than the others.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_open = ExitStack()  # closes Chromium and its driver


@pytest.fixture(scope="session")
def screenshots_requested() -> bool:
    return SCREENSHOTS


@cache
def _chromium(path: str) -> "Browser":
    from playwright.sync_api import sync_playwright

    playwright = _open.enter_context(sync_playwright())
    browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
    _open.callback(browser.close)
    return browser


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Closes Chromium after the last test of this folder."""
    if nextitem is None or not nextitem.path.is_relative_to(Path(__file__).parent):
        _open.close()
        _chromium.cache_clear()


@pytest.fixture
def browser() -> "Browser":
    """Returns headless Chromium, which all tests of this folder share.

    While Chromium runs, no other event loop can run in this thread; see in_thread.
    """
    path = _CHROMIUM or next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        said = "there is no Chromium; install Chromium, or set WINDOWSHOP_CHROMIUM to its path"
        pytest.fail(said) if _REQUIRED else pytest.skip(said)
    return _chromium(path)


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Any]:
    """Yields a function that loads the page as a new visitor, as in `visit(address, width=..., color_scheme=...)`.

    A script error or a violation of the content security policy fails the test.
    """
    contexts, complaints = [], []

    def listen(message: Any) -> None:
        if "Content Security Policy" in message.text:
            complaints.append(message.text)

    def made(address: str, *, width: int = 1280, height: int = 800, **options: Any) -> "Page":
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_SECONDS * 1000)
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield made
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def models() -> dict[int, "Model"]:
    """Returns the loaded models by model id. The fixture sample_template loads and adds the starter model."""
    return {}


@pytest.fixture(scope="session")
def sample_template(databases: Databases, template: str, public_folder: Path, models: dict[int, "Model"]) -> str:
    """Returns the name of a database with encoded instruments and a few other products of the sample. Some products get
    a brand and a colour, because the sample has neither.

    For screenshots, the database has the whole sample, unchanged.
    """
    from db.catalog.product import RawProduct
    from encoder import starter
    from encoder.service import load_models, run
    from encoder.settings import EncoderSettings
    from loader.ingest import ingest
    from loader.rejects import Reject
    from loader.sample import SampleSource

    class Part(SampleSource):
        def rows(self) -> Iterator[RawProduct | Reject]:
            for row in super().rows():
                assert isinstance(row, RawProduct)
                kind = row.fields["product_type"]
                if SCREENSHOTS or kind == "Musical instruments" or row.fields["sku"].endswith(("10", "50")):
                    yield row

    database = databases.copy(template)
    new = NewModel(starter.NAME, starter.NAME, starter.revision(), starter.DIMENSION)
    add_model(database, Settings(home=public_folder / "page-home"), new)
    serve_model(database, starter.NAME)
    ingest(database, Part())
    models |= load_models(database, EncoderSettings(device="cpu"))
    run(database, models, EncoderSettings(), stop=threading.Event(), once=True, queries=False)
    if not SCREENSHOTS:
        with database.connect(None) as conn, conn.begin():
            conn.execute(
                text(
                    "update shop.product set brand = (array['Acme', 'Borealis'])[1 + abs(hashtext(sku) % 2)], "
                    "color = (array['red', 'black', 'blue'])[1 + abs(hashtext(title) % 3)] where sku like '%5'"
                )
            )
    return str(database.write.database)


@pytest.fixture(scope="session")
def encoding_database(databases: Databases, sample_template: str, models: dict[int, "Model"]) -> Iterator[Database]:
    """Yields the database of a shop while an encoder runs."""
    database = databases.copy(sample_template)
    with encoding(database, models):
        yield database


@pytest.fixture(scope="session")
def shop(encoding_database: Database) -> Iterator[str]:
    """Yields the address of a shop whose encoder runs."""
    with running(encoding_database, LONG_DEADLINE) as address:
        yield address


@pytest.fixture(scope="session")
def sleeping_shop(databases: Databases, sample_template: str) -> Iterator[str]:
    """Yields the address of a shop without a running encoder."""
    with running(databases.copy(sample_template), SETTINGS) as address:
        yield address
