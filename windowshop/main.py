"""Defines the command `windowshop`: registers its commands and prints errors.

A command imports slow modules only when it runs, so that `windowshop search` does not wait for torch.
"""

import sys
from contextlib import nullcontext

import structlog
import typer

from db import tracing
from db.errors import WindowshopError
from windowshop import (
    catalog,
    database,
    demo,
    encode,
    evaluate,
    index,
    jobs,
    load,
    model,
    search,
    serve,
    settings,
    status,
)
from windowshop.output import log
from windowshop.site import rule, signal, synonym, watch, webhook, what_if

TRACED = ("web", "encoder", "up")  # the processes that record traces
HELP_OPTIONS = ["-h", "--help"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_OPTIONS},
    help="Product search by what things look like, inside PostgreSQL. Start with: windowshop demo",
)
app.command()(demo.demo)
app.command()(demo.up)
app.add_typer(database.app, name="db")
app.command()(load.load)
app.command()(load.judge)
app.command()(encode.encode)
app.command()(encode.retry)
app.add_typer(jobs.app, name="jobs")
app.add_typer(jobs.feed_app, name="feed")
app.add_typer(webhook.app, name="webhook")
app.add_typer(watch.app, name="watch")
app.add_typer(catalog.app, name="catalog")
app.add_typer(model.app, name="model")
app.add_typer(synonym.app, name="synonym")
app.add_typer(rule.app, name="rule")
app.add_typer(signal.app, name="signal")
app.add_typer(index.app, name="index")
app.command()(search.search)
app.command()(search.calibrate)
app.command()(evaluate.evaluate)
app.command()(what_if.what_if)
app.command()(serve.serve)
app.command()(serve.mcp)
app.add_typer(serve.key_app, name="key")
app.command()(settings.settings)
app.command()(status.status)


def main() -> None:
    """Run a command. For a WindowshopError, print the message and the hint, and exit with the error's exit code.

    If the process logs JSON (windowshop/output/log.py), the error is a line of the log instead.
    """
    arguments = sys.argv[1:]
    asks_for_help = bool(set(HELP_OPTIONS) & set(arguments))
    process = None if asks_for_help else log.process_of(arguments)
    logs = log.start(process)
    try:
        if not asks_for_help:
            settings.check_names()
            log.LogSettings.read()  # refuses a wrong value
        with tracing.exporting(process) if process and process in TRACED else nullcontext():
            if logs:
                raise SystemExit(app(standalone_mode=False) or 0)
            app()
    except WindowshopError as error:
        if logs:
            structlog.get_logger().error(error.message, hint=error.hint, exit_code=error.exit_code)
        else:
            print(f"error: {error.message}", file=sys.stderr)
            if error.hint:
                print(f"  {error.hint}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if not logs:
            raise
        raise SystemExit(log.log_crash(error)) from None
