"""Defines the commands `windowshop jobs` and `windowshop feed`."""

import asyncio
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windowshop.output.terminal import say
from windowshop.transaction import as_administrator

if TYPE_CHECKING:
    from db.engine import Database
    from db.jobs.settings import JobsSettings
    from db.jobs.worker import Ended, JobsWorker
    from db.settings import Settings

SHOWN_JOBS = 50
SET_SIGNAL_AT_DEATH = 1  # PR_SET_PDEATHSIG of prctl
END_SECONDS = 10.0  # time that a load has to end after SIGTERM
MAX_OUTPUT = 16_000  # at most this many bytes of a load's output are kept, the last ones

app = typer.Typer(
    invoke_without_command=True,
    help="Jobs that are neither requests nor encoding: loads of feeds on a schedule, messages of webhooks, the refresh "
    "of suggestions and signals, and the deletion of old rows.",
)
feed_app = typer.Typer(no_args_is_help=True, help='Feeds that "windowshop jobs" loads on a schedule.')

FeedName = Annotated[str, typer.Argument(help="The name of the schedule.")]


@app.callback()
def jobs(context: typer.Context) -> None:
    """Run the jobs of the site until Ctrl-C or SIGTERM: load feeds when they are due, send the messages of webhooks,
    refresh suggestions and signals, and delete old rows, such as events and cached queries.

    Several such processes may run; each job runs in one of them. If a process dies, another one runs its jobs again.
    "windowshop up" runs the jobs too. docs/loading.md describes schedules of feeds.
    """
    if context.invoked_subcommand is not None:
        return
    from db.engine import open_database
    from db.jobs.settings import JobsSettings
    from db.settings import Settings

    settings, own = Settings.read(), JobsSettings.read()
    stop = threading.Event()
    with open_database(settings, on_progress=say) as database:
        worker = _worker(database, settings, own)
        worker.check()
        with _probes(worker, own), _stopping(worker, stop):
            worker.run(on_ready=lambda: say("Jobs are running."))
    say("Stopped.")


@app.command("list")
def list_jobs() -> None:
    """List the jobs that wait, run or have failed: at most 50, newest first."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    from db.jobs import feeds

    found = as_administrator(lambda conn: feeds.jobs(conn, SHOWN_JOBS))
    if not found:
        typer.echo("No job waits, runs or has failed.")
        return
    table = Table(
        "job", Column("feed", overflow="fold"), "state", "since", "attempts", box=box.SIMPLE_HEAD, pad_edge=False
    )
    states = {"todo": "waits", "doing": "runs"}
    for job in found:
        since = "" if job.at is None else f"{job.at.astimezone():%Y-%m-%d %H:%M:%S}"
        table.add_row(job.task, job.feed or "", states.get(job.state, job.state), since, str(job.attempts))
    Console().print(table)


@feed_app.command("add", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def add(
    context: typer.Context,
    name: FeedName,
    path: Annotated[str, typer.Argument(metavar="PATH", help="The address of the feed, or an absolute path.")],
    cron: Annotated[
        str, typer.Option(help="When: minute, hour, day, month and weekday, in UTC. '*/15 * * * *': every 15 minutes.")
    ],
) -> None:
    """Load a feed on a schedule, with the options of "windowshop load".

    \b
    windowshop feed add main https://shop.example/feed.xml --cron "*/15 * * * *" --sync
    windowshop feed add berlin /srv/berlin.csv --cron "0 4 * * *" --catalog berlin --map title="Item name"

    Paths are those of the machine on which "windowshop jobs" runs. The user and the password of the feed are in the
    settings WINDOWSHOP_FEED_... of that process. A schedule with this name is replaced.
    """
    import re

    from db.errors import SettingsError
    from db.jobs import feeds

    if re.fullmatch("[a-z0-9][a-z0-9_.-]{0,62}", name) is None:
        raise SettingsError(
            f'"{name}" cannot be the name of a feed',
            hint="Use 1 to 63 of the characters a-z, 0-9, _ . and -; the first is a letter or a digit.",
        )
    arguments = [path, *context.args]
    _check_arguments(arguments)
    due = as_administrator(lambda conn: feeds.add(conn, name, cron, arguments))
    typer.echo(f'{name} is loaded next at {due:%Y-%m-%d %H:%M} UTC, if "windowshop jobs" runs then.')


@feed_app.command("list")
def list_feeds() -> None:
    """List the schedules, and how the last load of each feed ended."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    from db.jobs import feeds

    found = as_administrator(feeds.schedules)
    if not found:
        typer.echo("No feed is loaded on a schedule. See: windowshop feed add --help")
        return
    folded = [Column(name, overflow="fold") for name in ("arguments", "last load")]
    table = Table("feed", "cron (UTC)", folded[0], "next (UTC)", folded[1], box=box.SIMPLE_HEAD, pad_edge=False)
    for one in found:
        last = "never"
        if one.ended_at is not None:
            lines = (one.report or "").strip().splitlines() or [""]
            last = f"{one.ended_at:%Y-%m-%d %H:%M}, exit code {one.exit_code}: {lines[-1]}"
        table.add_row(one.name, one.cron, _shown(one.arguments), f"{one.due_at:%Y-%m-%d %H:%M}", last)
    Console(markup=False).print(table)


@feed_app.command("remove")
def remove(name: FeedName) -> None:
    """Remove a schedule. The products that the feed has loaded stay."""
    from db.jobs import feeds

    _expect(as_administrator(lambda conn: feeds.remove(conn, name)), name)
    typer.echo(f"{name} is not loaded any more.")


@feed_app.command("run")
def run_now(name: FeedName) -> None:
    """Load a feed now: a running "windowshop jobs" begins within about 15 seconds."""
    from db.jobs import feeds

    _expect(as_administrator(lambda conn: feeds.run_soon(conn, name)), name)
    typer.echo(f"{name} is due. See: windowshop feed list")


@contextmanager
def running(database: "Database", settings: "Settings") -> Iterator[None]:
    """Run the jobs in a thread of this process until the context ends.

    Raises DatabaseError if the address, its login or the schema does not fit.
    """
    from db.jobs.settings import JobsSettings

    worker = _worker(database, settings, JobsSettings.read())
    worker.check()
    thread = threading.Thread(target=worker.run, name="jobs")
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()


def _worker(database: "Database", settings: "Settings", own: "JobsSettings") -> "JobsWorker":
    from db.jobs.worker import JobsWorker

    return JobsWorker(database, own, partial(_load, settings.home))


async def _load(home: Path, name: str, arguments: list[str], seconds: float) -> "Ended":
    """Run `windowshop load` as a child process, and return how it ended, or why it did not start."""
    from db.errors import DatabaseError
    from db.jobs.worker import Ended

    try:
        process = await _start(home, name, arguments)
    except OSError as error:
        return Ended(1, str(error))
    output = b""
    try:
        async with asyncio.timeout(seconds):
            assert process.stdout is not None
            while part := await process.stdout.read(65_536):
                output = (output + part)[-MAX_OUTPUT:]
            await process.wait()
    except TimeoutError:
        await _end(process)
        output += f"\nended after {seconds:.0f} seconds, the time limit of a load".encode()
    except asyncio.CancelledError:
        await _end(process)
        raise
    code = process.returncode or 0
    report = output.decode(errors="replace").replace("\0", "")
    return Ended(code, report, may_succeed_later=code == DatabaseError.exit_code)


async def _start(home: Path, name: str, arguments: list[str]) -> asyncio.subprocess.Process:
    """Start the child process. On Linux, the child process gets SIGTERM when the thread that started it ends, for
    example because of a SIGKILL."""
    if "--rejects" not in arguments:
        folder = home / "feeds"
        folder.mkdir(parents=True, exist_ok=True)
        arguments = [*arguments, "--rejects", str(folder / f"{name}.rejects.csv")]
    end_with_parent: Callable[[], Any] | None = None
    if sys.platform == "linux":
        end_with_parent = partial(ctypes.CDLL(None).prctl, SET_SIGNAL_AT_DEATH, signal.SIGTERM)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "windowshop", "load", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "WINDOWSHOP_LOG_FORMAT": "text"},  # people read the report of a load
        preexec_fn=end_with_parent,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    for end in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        end()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            continue


def _check_arguments(arguments: list[str]) -> None:
    """Raise SettingsError for arguments that `windowshop load` would refuse, or that fit no schedule."""
    from db.errors import SettingsError
    from loader.ingest import check_catalog
    from loader.mapping import parse_format
    from loader.piped_file import is_pipe
    from windowshop.load import load

    own = typer.Typer()
    own.command()(load)
    try:
        given: dict[str, Any] = typer.main.get_command(own).make_context("load", list(arguments)).params
    except typer.Exit:
        raise SettingsError("--help has no place in a schedule") from None
    except Exception as error:
        if (message := getattr(error, "format_message", None)) is None:  # not Typer's error for a wrong argument
            raise
        raise SettingsError(f"windowshop load: {message()}", hint='See "windowshop load --help".') from error
    if given["watch"] is not None:
        raise SettingsError("--watch and a schedule exclude each other", hint="Omit --watch.")
    if given["path"] == "-" or is_pipe(given["path"]):
        raise SettingsError("a schedule cannot read a pipe", hint="Give an address or an absolute path.")
    check_catalog(given["catalog"])
    parse_format(given["format_"])
    is_address = "://" in given["path"]
    if is_address and "@" in given["path"].partition("://")[2].partition("/")[0]:
        raise SettingsError(
            "an address must not contain a user name or password, because the database would store them",
            hint='Set WINDOWSHOP_FEED_USER and WINDOWSHOP_FEED_PASSWORD for "windowshop jobs".',
        )
    paths = {"PATH": None if is_address else given["path"]}
    paths |= {f"--{name.replace('_', '-')}": given[name] for name in ("map_file", "image_root", "rejects")}
    for option, path in paths.items():
        if path is not None and not Path(path).is_absolute():
            raise SettingsError(f"{option}: {path} is not an absolute path", hint="A schedule needs absolute paths.")


def _shown(arguments: Any) -> str:
    """Return the arguments as a command line, without the queries of addresses, because shops put keys into them."""
    import shlex

    return shlex.join(one.partition("?")[0] if "://" in one else one for one in arguments)


def _expect(found: bool, name: str) -> None:
    from db.errors import SettingsError

    if not found:
        raise SettingsError(f'there is no feed "{name}"', hint="See: windowshop feed list")


@contextmanager
def _probes(worker: "JobsWorker", settings: "JobsSettings") -> Iterator[None]:
    if settings.port is None:
        yield
        return
    from db import probes
    from db.jobs import metrics

    with probes.serving(
        settings.host,
        settings.port,
        "WINDOWSHOP_JOBS_PORT",
        lambda: worker.fault,
        metrics.registry(worker),
        is_behind=lambda: worker.is_behind,
    ) as address:
        say(f"Probes and metrics: {address}/ready, {address}/metrics")
        yield


@contextmanager
def _stopping(worker: "JobsWorker", stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT stop the worker; a second signal ends the process immediately."""

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
        worker.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
