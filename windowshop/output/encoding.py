"""A running encoder at the terminal: progress bar and summary."""

import sys
import threading
from collections.abc import Mapping

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from db.engine import Database
from db.work.items import Outstanding
from encoder.lanes.batches import Counters
from encoder.models.loading import Model
from encoder.service import RunSummary, run, stopping_on_signals
from encoder.settings import EncoderSettings

log = structlog.get_logger()


def encode_with_progress(
    database: Database,
    models: Mapping[int, Model],
    settings: EncoderSettings,
    *,
    once: bool,
    queries: bool = True,
    console: Console | None = None,
) -> RunSummary:
    """Run the encoder until a signal, or until the work list is empty; with `once`, behind a progress bar."""
    console = console or Console(stderr=True)
    stop = threading.Event()
    names = ", ".join(f"{model.source} on {model.device}" for model in models.values())
    with stopping_on_signals(stop):
        if not once:
            log.info("encoder is starting", models=names)
            summary = run(
                database, models, settings, stop=stop, queries=queries, on_ready=lambda: log.info("encoder is ready")
            )
            log.info("encoder has stopped", encoded=summary.counters.done, left=summary.left.pending)
            return summary
        with Progress(
            TextColumn("encoding"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not sys.stderr.isatty(),
        ) as progress:
            bar = _Bar(progress)
            try:
                summary = run(database, models, settings, stop=stop, once=True, queries=queries, on_start=bar.start)
            finally:
                bar.finish()
    _print(console, summary)
    return summary


class _Bar:
    """Follows the counters from a thread of its own: the lanes do not know of a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, counters: Counters, left: Outstanding) -> None:
        task = self._progress.add_task("encoding", total=left.pending + left.leased, rate="")
        self._thread = threading.Thread(target=self._follow, args=(counters, task), daemon=True)
        self._thread.start()

    def finish(self) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self, counters: Counters, task: object) -> None:
        while True:
            last = self._done.wait(0.2)
            speed = self._progress.tasks[0].speed
            self._progress.update(
                task,  # type: ignore[arg-type]  # a TaskID
                completed=counters.done,
                rate=f"{speed:.0f}/s" if speed else "",
            )
            if last:
                return


def _print(console: Console, summary: RunSummary) -> None:
    counters, timer = summary.counters, summary.timer
    if counters.done == 0 and not summary.left.pending:
        console.print("Nothing to encode: every title and image has its vector.")
    elif counters.done:
        rate = counters.done / timer.wall if timer.wall else 0.0
        console.print(
            f"Encoded {counters.image} images and {counters.title} titles in {timer.wall:.1f} s ({rate:.0f}/s). Busy: "
            + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in timer.busy.items())
            + "."
        )
    if counters.failed:
        console.print(f"{counters.failed} attempts failed.")
    if summary.left.quarantined:
        console.print(
            f"{summary.left.quarantined} items are quarantined: SELECT * FROM shop.quarantine; fix them, then "
            '"windowshop retry".'
        )
    if summary.left.pending:
        console.print(f"{summary.left.pending} items are still waiting.")
