"""Runs the encoder for a command. With `once`, shows a progress bar and a summary; otherwise, writes log lines."""

import threading
from collections.abc import Mapping

import structlog
from rich.console import Console

from db.engine import Database
from db.work.items import Outstanding
from encoder.lanes.batches import Counters
from encoder.models.loading import Model
from encoder.probes import Probes
from encoder.service import RunSummary, run, stopping_on_signals
from encoder.settings import EncoderSettings
from windowshop.output.progress import ProgressBar, progress_bar
from windowshop.output.terminal import say

log = structlog.get_logger()

SHOWN_HOSTS = 5  # the summary names at most this many hosts with waiting images


def encode_with_progress(
    database: Database,
    models: Mapping[int, Model],
    settings: EncoderSettings,
    *,
    once: bool,
    queries: bool = True,
    follow: bool = False,
    console: Console | None = None,
    probes: Probes | None = None,
) -> RunSummary:
    """Run the encoder until a signal. With `once`, the run also ends when `work.is_idle` finds nothing to encode.

    Quarantined items, and images whose next fetch is more than ten seconds away, are then left.
    """
    console = console or Console(stderr=True)
    stop = threading.Event()
    names = ", ".join(f"{model.source} on {model.device}" for model in models.values())
    with stopping_on_signals(stop):
        if not once:
            engines = ", ".join(f"{part} {engine}" for part, engine in _engines(models))
            log.info("encoder is starting", models=names, engines=engines)
            summary = run(
                database,
                models,
                settings,
                stop=stop,
                queries=queries,
                follow=follow,
                on_ready=lambda: log.info("encoder is ready"),
                probes=probes,
            )
            counters = summary.counters
            log.info(
                "encoder has stopped",
                encoded=counters.image + counters.title,
                failed=counters.failed,
                left=summary.left.pending if summary.left else None,
            )
            return summary
        with progress_bar("encoding", counted=True, keep=True, console=console) as bar:
            watcher = _Watcher(bar)
            try:
                summary = run(
                    database,
                    models,
                    settings,
                    stop=stop,
                    once=True,
                    queries=queries,
                    on_start=watcher.start,
                    probes=probes,
                )
            finally:
                watcher.finish()
    _print(summary)
    return summary


class _Watcher:
    """Copies the counters to the progress bar in a separate thread, so that the encoder's code does not know the
    terminal."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, counters: Counters, left: Outstanding) -> None:
        self._thread = threading.Thread(target=self._follow, args=(counters, left.pending + left.leased), daemon=True)
        self._thread.start()

    def finish(self) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self, counters: Counters, total: int) -> None:
        last = False
        while not last:
            last = self._done.wait(0.2)
            self._bar.update(counters.done, total, rate=True)


def _engines(models: Mapping[int, Model]) -> list[tuple[str, str]]:
    """Return the sorted pairs of a tower (`image` or `text`) and the engine that runs it, each pair once."""
    return sorted({pair for model in models.values() for pair in model.engines.items()})


def _print(summary: RunSummary) -> None:
    counters, timer, left = summary.counters, summary.timer, summary.left
    assert left is not None  # with `once`, `run` always counts the outstanding work, or raises
    if counters.done == 0 and not left.pending:
        say("Nothing to encode: no title or image is waiting.")
    elif counters.done:
        rate = (counters.image + counters.title) / timer.wall if timer.wall else 0.0
        busy = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in timer.busy.items())
        say(
            f"Encoded {counters.image} images and {counters.title} titles in {timer.wall:.1f} s ({rate:.0f}/s). "
            f"Time of each stage (claim and prepare include waiting): {busy}."
        )
    if counters.failed:
        say(f"{counters.failed} attempts failed.")
    if left.quarantined:
        say(
            f'{left.quarantined} items are quarantined. To list them, run "SELECT * FROM shop.quarantine". Fix '
            'their errors, then run "windowshop retry".'
        )
    if left.pending:
        say(f"{left.pending} items are still waiting.")
    for failing in summary.failing[:SHOWN_HOSTS]:
        say(f"{failing.waiting} images of {failing.host} are waiting: {failing.error}")
    if summary.failing:
        say(
            "A running encoder tries these hosts again by itself. The view shop.failing_host lists them. To try a host "
            'immediately, run "windowshop retry --host HOST".'
        )
