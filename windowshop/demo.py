"""`windowshop demo` and `windowshop up` run database, encoder, web service and jobs together on one machine."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windowshop.output.terminal import say

if TYPE_CHECKING:
    from db.engine import Database
    from db.settings import Settings
    from encoder.models.loading import Model
    from encoder.settings import EncoderSettings

DEMO_TEXTS = (("a wooden chair", None), ("something to drink from", "price < 20"), ("red shoes", None))
DEMO_IMAGE = "fluent_1376.webp"
IN_A_SECOND_TERMINAL = "\nGo on, in a second terminal:"
AFTERWARDS = """
Go on:
  windowshop up                      database, encoder, search page and REST,
                                     until Ctrl-C. In a second terminal:\
"""
NEXT = """
  windowshop db psql --role analyst  SQL, for example
    SELECT title, price FROM shop.searchable WHERE price < 40
    ORDER BY image_embedding <=> (SELECT shop.clip_text('blue bag')) LIMIT 10;
  windowshop search "blue bag" --catalog sample --filter '{"price": {"lt": 40}}'
  windowshop load my-products.csv    your own catalog, main;
                                     "windowshop encode --once" encodes it
  windowshop catalog drop sample     removes the sample
"""

Host = Annotated[str | None, typer.Option(help="Address of the page. Default: WINDOWSHOP_WEB_HOST, else 127.0.0.1.")]
Port = Annotated[
    int | None,
    typer.Option(help="Port of the page. Default: WINDOWSHOP_WEB_PORT, else 8000. 0: any free port.", min=0, max=65535),
]


def demo(
    serve: Annotated[bool, typer.Option(help="At the end, serve the search page until Ctrl-C.")] = True,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the database running after the demo.")] = False,
    host: Host = None,
    port: Port = None,
) -> None:
    """Try Windowshop: create a database, load and encode the sample catalog, and search by three texts and an image.

    Then serve the search page until Ctrl-C. The sample is in the catalog "sample", beside your own products;
    "windowshop catalog drop sample" removes it.
    """
    from rich.console import Console

    from db.embedded import server
    from db.engine import open_database
    from db.settings import Settings
    from loader.sample import CATALOG, IMAGES, load_sample
    from windowshop.jobs import running as running_jobs
    from windowshop.output.progress import progress_bar

    console = Console()
    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        _prepare(database, settings)
        say("Loading the sample catalog (its prices and availability are made up)")
        with progress_bar("Loading") as bar:
            loaded = load_sample(database, catalog=CATALOG, on_progress=bar.update)
        console.print(f"{loaded.read} products: {loaded.inserted} new, {loaded.unchanged} unchanged.")
        with running_jobs(database, settings), _encoding(database) as encoder:
            _demo_queries(database, IMAGES / DEMO_IMAGE)
            served = serve and _serve_the_page(database, encoder, _given(host, port))
        if keep and database.is_embedded:
            server.start(settings.home)
            console.print('\nThe database keeps running; "windowshop db stop" stops it.')
    if not served:
        console.print(AFTERWARDS + NEXT, highlight=False, markup=False, soft_wrap=True)


def up(host: Host = None, port: Port = None) -> None:
    """Run database, encoder, web service and jobs in the foreground until Ctrl-C: SQL and HTTP clients can search."""
    from db.engine import open_database
    from db.roles import Role
    from db.settings import Settings
    from encoder.probes import Probes
    from encoder.settings import EncoderSettings
    from windowshop.jobs import running as running_jobs
    from windowshop.output.warming import warming

    settings, encoding, probes = Settings.read(), EncoderSettings.read(), Probes()
    with probes.serving(encoding), open_database(settings, on_progress=say) as database:
        _prepare(database, settings)
        models = _load_models(database, encoding)
        address = database.url(None)
        say(f"PostgreSQL is at {address.host}:{address.port}, database {address.database}. In a second terminal:")
        say("  windowshop db psql --role analyst")
        say('  windowshop search "a wooden chair"')
        with (
            warming(database, Role.WEB_READER),
            running_jobs(database, settings),
            _serving(database, _given(host, port)) as site,
        ):
            if site is not None:
                say(f"The search page is at {site}/, the REST API beside it; see docs/api.md.")
            from windowshop.output.encoding import encode_with_progress

            encode_with_progress(database, models, encoding, once=False, follow=True, probes=probes)


def _given(host: str | None, port: int | None) -> dict[str, str | int]:
    """Return the settings of the web service that the user gave as options."""
    return {name: value for name, value in (("host", host), ("port", port)) if value is not None}


def _load_models(database: "Database", settings: "EncoderSettings") -> "dict[int, Model]":
    from windowshop.output.progress import waiting

    with waiting("Loading the model"):
        from encoder.service import load_models  # loads torch, which takes seconds

        return load_models(database, settings)


def _serve_the_page(database: "Database", encoder: threading.Thread, given: dict[str, str | int]) -> bool:
    """Serve the page until SIGTERM, Ctrl-C or the end of the encoder. Returns False if the web service is not
    installed."""
    from rich.console import Console

    from encoder.service import stopping_on_signals

    stop = threading.Event()
    with stopping_on_signals(stop), _serving(database, given, any_port="port" not in given) as address:
        if address is None:
            return False
        text = IN_A_SECOND_TERMINAL + NEXT + f"\nThe search page is at {address}/ until Ctrl-C."
        Console().print(text, highlight=False, markup=False, soft_wrap=True)
        while encoder.is_alive() and not stop.wait(0.2):
            pass
        say("Stopping")
    return True


@contextmanager
def _serving(database: "Database", given: dict[str, str | int], *, any_port: bool = False) -> Iterator[str | None]:
    """Run the web service in this process. Yields the address of the service, or None if its packages are missing.

    With `any_port`, a port that is in use is no error: the service takes a free port instead, and serves no metrics.
    """
    try:
        from web.server import CannotListen, running
        from web.settings import WebSettings
    except ModuleNotFoundError as error:
        say(f"The web service needs the package {error.name} and is not started (pip install 'windowshop[web]').")
        yield None
        return
    settings = WebSettings.read().model_copy(update=given)
    with ExitStack() as stack:
        try:
            address = stack.enter_context(running(database, settings))
        except CannotListen as error:
            if not any_port:
                raise
            say(f"The web service {error.message}, so it takes a free port.")
            free = settings.model_copy(update={"port": 0, "metrics_port": None})
            address = stack.enter_context(running(database, free))
        yield address


def _prepare(database: "Database", settings: "Settings") -> None:
    from migrations.upgrade import upgrade
    from windowshop.model import ensure_a_model_serves

    upgrade(database, settings)
    ensure_a_model_serves(database, settings)


@contextmanager
def _encoding(database: "Database") -> Iterator[threading.Thread]:
    """Run an encoder in this process until the context ends. Yields the thread after the whole catalog is encoded."""
    from db.errors import EncoderError
    from encoder.settings import EncoderSettings

    settings = EncoderSettings.read()
    models = _load_models(database, settings)
    from encoder.service import run

    stop, ready = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def serve() -> None:
        try:
            run(database, models, settings, stop=stop, on_ready=ready.set)
        except BaseException as error:
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=serve, name="encoder")
    thread.start()
    try:
        ready.wait()
        _watch(database, list(models), thread)
        if not failed:
            yield thread
    finally:
        stop.set()
        thread.join()
    if failed:
        raise EncoderError(f"the encoder failed: {failed[0]}") from failed[0]


def _watch(database: "Database", model_ids: list[int], encoder: threading.Thread) -> None:
    """Show a progress bar until everything is encoded or the encoder has ended."""
    from db.roles import Role
    from db.work import items as work
    from windowshop.output.progress import progress_bar

    total = 0
    with (
        database.connect(Role.ENCODER) as conn,
        progress_bar("Encoding titles and images", counted=True, keep=True) as bar,
    ):
        while encoder.is_alive():
            with conn.begin():
                left = work.outstanding(conn, model_ids)
            waiting = left.pending + left.leased
            total = max(total, waiting)
            bar.update(total - waiting, total)
            if not waiting:
                return
            time.sleep(0.1)


def _demo_queries(database: "Database", image: Path) -> None:
    from rich.console import Console

    from db.roles import Role
    from db.search.image import read_image
    from db.search.statement import Query, search
    from loader.sample import CATALOG
    from windowshop.output.hits import print_hits, shown_sql

    console = Console()
    with database.connect(Role.ANALYST, read=True) as conn:
        for query in (
            *(Query(text, where=where, k=5, catalog=CATALOG) for text, where in DEMO_TEXTS),
            Query(image=read_image(image), k=5, catalog=CATALOG),
        ):
            shown = shown_sql(query, image if query.image else None)
            started = time.perf_counter()
            hits = search(conn, query)
            elapsed = time.perf_counter() - started
            console.print(f"\n{shown}", highlight=False, markup=False, soft_wrap=True)
            print_hits(hits, console)
            console.print(f"{elapsed * 1000:.0f} ms, encoding of the query included", highlight=False)
