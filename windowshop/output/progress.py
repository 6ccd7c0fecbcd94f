"""Shows progress bars on stderr, if stderr is a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from windowshop.output.terminal import say


class ProgressBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self) -> None:
        self._progress.advance(self._task)

    def update(self, completed: float, total: float | None, what: str | None = None, *, rate: bool = False) -> None:
        """Move the bar. With `rate`, the bar also shows how many items are completed per second."""
        speed = self._progress.tasks[self._task].speed if rate else None
        shown = f"{speed:.0f}/s" if speed else ""
        self._progress.update(self._task, completed=completed, total=total, description=what, rate=shown)


@contextmanager
def progress_bar(
    what: str, total: float | None = None, *, counted: bool = False, keep: bool = False, console: Console | None = None
) -> Iterator[ProgressBar]:
    """Shows a bar. With `counted`, the bar shows the number of completed items and of all items; otherwise it shows a
    percentage. With `keep`, the bar stays on the screen after the context ends."""
    console = console or Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn() if counted else TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=not keep, disable=not console.is_terminal) as progress:
        yield ProgressBar(progress, progress.add_task(what, total=total, rate=""))


@contextmanager
def counted_steps(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Shows a bar, and yields a function that moves the bar forward by one item."""
    with progress_bar(what, total, counted=True) as bar:
        yield bar.advance


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows `what`, the activity in progress, and on a terminal also a spinner and the elapsed time."""
    console = Console(stderr=True)
    if not console.is_terminal:
        say(what)
        yield
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task(what, total=1)
        yield
        progress.update(task, completed=1)
