"""The command line: the packages' commands under one name, and the two that need all packages, `demo` and `up`.

Every command imports what it needs only when it runs: `windowshop search` must not wait for torch.
"""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

import db.cli
import db.evaluation.cli
import db.lifecycle.cli
import encoder.cli
import loader.cli
import migrations.cli
import web.cli
from db.errors import WindowshopError

if TYPE_CHECKING:
    from db.engine import Database
    from db.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Product search by what things look like, inside PostgreSQL. Start with: windowshop demo",
)

DEMO_TEXTS = (("a wooden chair", None), ("something to drink from", "price < 20"), ("red shoes", None))
DEMO_PICTURE = "fluent_1376.webp"
IN_A_SECOND_TERMINAL = "\nGo on, in a second terminal:"
AFTERWARDS = """
Go on:
  windowshop up                                   database, encoder, search page, REST until Ctrl-C; meanwhile:\
"""
NEXT = """
  windowshop db psql --role analyst               SQL, for example
    SELECT title, price FROM shop.searchable WHERE price < 40
    ORDER BY image_embedding <=> (SELECT shop.clip_text('blue bag')) LIMIT 10;
  windowshop search "blue bag" --filter '{"price": {"lt": 40}}'
  windowshop load my-products.csv                 your own catalog; "windowshop encode --once" encodes it
"""


@app.command()
def demo(
    serve: Annotated[bool, typer.Option(help="End by serving the search page until Ctrl-C.")] = True,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the database running afterwards.")] = False,
) -> None:
    """From nothing to picture search: database, sample catalog, encoding, three text queries and a picture query.

    Then the search page is served on this machine until Ctrl-C.
    """
    from rich.console import Console

    from db import embedded
    from db.engine import open_database
    from db.settings import Settings
    from loader.sample import IMAGES, load_sample

    console = Console()
    settings = Settings.read()
    with open_database(settings, on_progress=_step) as database:
        _prepare(database, settings)
        _step("Loading the sample catalog (its prices and availability are made up)")
        loaded = load_sample(database)
        console.print(f"{loaded.read} products: {loaded.inserted} new, {loaded.unchanged} unchanged.")
        with _encoding(database) as encoder:
            _demo_queries(database, IMAGES / DEMO_PICTURE)
            served = serve and _serve_the_page(database, encoder)
        if keep and database.is_embedded:
            embedded.start(settings.home)
            console.print('\nThe database keeps running; "windowshop db stop" stops it.')
    if not served:
        console.print(AFTERWARDS + NEXT, highlight=False, markup=False, soft_wrap=True)


@app.command()
def up() -> None:
    """Run database, encoder and web service in the foreground until Ctrl-C: SQL and HTTP clients can search."""
    from db.engine import open_database
    from db.settings import Settings
    from encoder.progress import encode_with_progress
    from encoder.service import load_models
    from encoder.settings import EncoderSettings

    settings, encoding = Settings.read(), EncoderSettings.read()
    with open_database(settings, on_progress=_step) as database:
        _prepare(database, settings)
        models = load_models(database, encoding)
        address = database.url(None)
        _step(f"PostgreSQL is at {address.host}:{address.port}, database {address.database}. In a second terminal:")
        _step("  windowshop db psql --role analyst")
        _step('  windowshop search "a wooden chair"')
        with _serving(database) as site:
            if site is not None:
                _step(f"The search page is at {site}/, the REST API beside it; see docs/api.md.")
            encode_with_progress(database, models, encoding, once=False)


def _serve_the_page(database: "Database", encoder: threading.Thread) -> bool:
    """Until SIGTERM or Ctrl-C. False where the web service is not installed."""
    from rich.console import Console

    from encoder.service import stopping_on_signals

    stop = threading.Event()
    with stopping_on_signals(stop), _serving(database, any_port=True) as address:
        if address is None:
            return False
        text = IN_A_SECOND_TERMINAL + NEXT + f"\nThe search page is at {address}/ until Ctrl-C."
        Console().print(text, highlight=False, markup=False, soft_wrap=True)
        while encoder.is_alive() and not stop.wait(0.2):
            pass
        _step("Stopping")
    return True


@contextmanager
def _serving(database: "Database", *, any_port: bool = False) -> Iterator[str | None]:
    """The web service in this process for as long as the context lasts; its address, None where it is not installed.

    With `any_port` a port in use is no error: a free one is taken, and no metrics are served.
    """
    try:
        from web.server import CannotListen, running
        from web.settings import WebSettings
    except ModuleNotFoundError as error:
        _step(f"Without the web service: it needs the package {error.name} (pip install 'windowshop[web]').")
        yield None
        return
    settings = WebSettings.read()
    with ExitStack() as stack:
        try:
            address = stack.enter_context(running(database, settings))
        except CannotListen as error:
            if not any_port:
                raise
            _step(f"The web service {error.message}, so it takes a free port.")
            free = settings.model_copy(update={"host": "127.0.0.1", "port": 0, "metrics_port": None})
            address = stack.enter_context(running(database, free))
        yield address


def _prepare(database: "Database", settings: "Settings") -> None:
    """Schema up to date, and a model serving: starter, where the site has none yet."""
    from db.roles import Role
    from db.serving import every_model, serve_model
    from encoder import starter
    from migrations.site import NewModel, add_model
    from migrations.upgrade import upgrade

    upgrade(database, settings)
    with database.connect(Role.ANALYST) as conn:
        models = every_model(conn)
    if any(model.status == "serving" for model in models):
        return
    if not models:
        _step("Adding the starter model (what kind of thing: well; colour: moderately; material, brand: poorly)")
        add_model(database, settings, NewModel(starter.NAME, starter.NAME, starter.revision(), starter.DIMENSION))
    if not models or starter.NAME in [model.name for model in models]:  # a run killed between the two is made good
        serve_model(database, starter.NAME)


@contextmanager
def _encoding(database: "Database") -> Iterator[threading.Thread]:
    """An encoder in this process for as long as the context lasts, entered when the whole catalog is encoded."""
    from db.errors import EncoderError
    from encoder.service import load_models, run
    from encoder.settings import EncoderSettings

    _step("Loading the model")
    settings = EncoderSettings.read()
    models = load_models(database, settings)
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
    """A progress bar until nothing is left to encode."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from db import work
    from db.roles import Role

    bars = (TextColumn("Encoding titles and pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with database.connect(Role.ENCODER) as conn, Progress(*bars) as progress:
        task, total = progress.add_task("", total=None, visible=False), 0
        while encoder.is_alive():
            with conn.begin():
                left = work.outstanding(conn, model_ids)
            waiting = left.pending + left.leased
            total = max(total, waiting)
            progress.update(task, total=total, completed=total - waiting, visible=total > 0)
            if not waiting:
                return
            time.sleep(0.1)


def _demo_queries(database: "Database", picture: Path) -> None:
    from rich.console import Console

    from db.results import picture_bytes, print_hits, shown_sql
    from db.roles import Role
    from db.search import Query, search

    console = Console()
    with database.connect(Role.ANALYST, read=True) as conn:
        for query in (
            *(Query(text, where=where, k=5) for text, where in DEMO_TEXTS),
            Query(image=picture_bytes(picture), k=5),
        ):
            shown = shown_sql(query, picture if query.image else None)
            started = time.perf_counter()
            hits = search(conn, query)
            elapsed = time.perf_counter() - started
            console.print(f"\n{shown}", highlight=False, markup=False, soft_wrap=True)
            print_hits(hits, console)
            console.print(f"{elapsed * 1000:.0f} ms, encoding of the query included", highlight=False)


def _step(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


for command in (migrations.cli.upgrade, migrations.cli.check, migrations.cli.revision, migrations.cli.downgrade):
    db.cli.server.command()(command)
app.add_typer(db.cli.server, name="db")
app.command()(loader.cli.load)
app.command()(loader.cli.judge)
app.command()(encoder.cli.encode)
for command in (
    db.lifecycle.cli.status,
    db.lifecycle.cli.evaluate,
    db.lifecycle.cli.promote,
    db.lifecycle.cli.rollback,
    migrations.cli.retire,
):
    encoder.cli.model_app.command()(command)
app.add_typer(encoder.cli.model_app, name="model")
index_app = typer.Typer(no_args_is_help=True, help="Indexes: look at them, build what was left out, build them anew.")
index_app.command("status")(db.lifecycle.cli.index_status)
index_app.command("build")(db.lifecycle.cli.index_build)
index_app.command("rebuild")(migrations.cli.rebuild)
app.add_typer(index_app, name="index")
app.command()(encoder.cli.retry)
app.command()(db.cli.search)
app.command()(db.cli.calibrate)
app.command()(db.evaluation.cli.evaluate)
app.command()(web.cli.serve)
app.add_typer(web.cli.key_app, name="key")


def main() -> None:
    """Run a command; turn an error of ours into one clear line and its exit code."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        app()
    except WindowshopError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
