"""Sets up the log of a process. By default, each line is a JSON object if stderr is not a terminal.

The JSON lines of all processes have the fields `timestamp`, `level`, `process`, `event`, and the fields of the event.
A recurring fault is logged at most once a second; `repeated` counts the lines that were left out. For an exception, the
types and the traceback are logged. The message of an exception is logged only if its type is one of PLAIN_ERRORS,
because other messages may quote the text of a query or an image.
"""

import json
import logging
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
import typer
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from db.errors import SettingsError
from db.settings import EnvironmentSettings
from windowshop.output.terminal import log_messages

PROCESSES = {
    ("serve",): "web",
    ("encode",): "encoder",
    ("load",): "loader",
    ("db", "upgrade"): "migrations",
    ("up",): "up",
    ("jobs",): "jobs",
    ("mcp",): "mcp",
}
# Key of the text that identifies the fault of a library. This text is the library's message without its values, because
# the values may differ each time.
_FAULT = "_fault"
FAULT_SECONDS = 1.0  # a recurring fault is logged at most once in this time
PLACES = ("host", "model", "feed", "thread")  # two lines that differ in one of these fields are two faults
MAX_FAULTS = 1_000  # from this many faults on, those that were logged more than FAULT_SECONDS ago are removed
# The messages of these exceptions name code, files and addresses, but no values.
PLAIN_ERRORS = (ArithmeticError, AttributeError, ImportError, IndexError, MemoryError, NameError, OSError)


class LogSettings(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="WINDOWSHOP_LOG_", extra="ignore")

    format: Literal["auto", "json", "text"] = Field(
        "auto",
        description="Format of the log of `serve`, `mcp`, `encode`, `load`, `jobs`, `db upgrade` and `up`. auto: text "
        "on a terminal, otherwise a JSON object on each line.",
    )
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The lowest level that is logged.")


def process_of(arguments: Sequence[str]) -> str | None:
    """Return the name of the process that a command line starts, or None for a command that is not a process."""
    words = tuple(word for word in arguments[:2] if not word.startswith("-"))
    if words[:1] == ("jobs",) and len(words) > 1:  # such as "windowshop jobs list"
        return None
    return PROCESSES.get(words[:1]) or PROCESSES.get(words)


def start(process: str | None) -> bool:
    """Log to stderr, in the format that the settings choose. Return whether the process logs JSON.

    If a setting of the log has a wrong value, the defaults of all settings of the log apply here. `main` refuses the
    value afterwards.
    """
    try:
        chosen = LogSettings.read()
    except SettingsError:
        chosen = LogSettings.model_construct()
    is_json = configure(process, chosen, sys.stderr)
    log_messages(is_json)
    return is_json


def log_crash(error: Exception) -> int:
    """Log the error that ends a process, and return the exit code."""
    log = structlog.get_logger()
    told, code = getattr(error, "format_message", None), getattr(error, "exit_code", 1)
    # typer's error about a wrong option or argument has the method `format_message`. The base class of these errors has
    # no public name.
    if told is not None:
        log.error(told(), hint="--help describes the command.", exit_code=code)
        return int(code)
    if isinstance(error, typer.Abort):
        log.info("interrupted")
        return 130
    log.critical("unexpected error", exc_info=error)
    return 1


def configure(process: str | None, chosen: LogSettings, stream: TextIO) -> bool:
    """Log to `stream`. Return whether the lines are JSON."""
    is_json = process is not None and (chosen.format == "json" or (chosen.format == "auto" and not stream.isatty()))
    processors: list[Any] = [structlog.processors.add_log_level, _Throttle(), _hide_messages]
    if is_json:
        processors += [
            _Process(process),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(json.dumps, default=repr),
        ]
    else:
        processors += [
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=stream.isatty() and not os.environ.get("NO_COLOR")),
        ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[chosen.level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    if is_json:
        _take_over()
    return is_json


def _take_over() -> None:
    """Log what libraries, Python's warnings and threads would write to stderr as text."""
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)
    warnings.showwarning = _show_warning
    threading.excepthook = lambda given: structlog.get_logger().error(
        "a thread ended with an error", thread=given.thread.name if given.thread else None, exc_info=given.exc_value
    )


class _Forward(logging.Handler):
    """Passes the lines of libraries to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        # Only the first line is logged. asyncio appends lines with the exception of a task and the exception's message.
        message = record.getMessage().partition("\n")[0]
        log = structlog.get_logger()
        log.log(record.levelno, message, logger=record.name, exc_info=error, **{_FAULT: str(record.msg)})


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    structlog.get_logger().warning(str(message), kind=category.__name__, place=f"{filename}:{lineno}")


class _Process:
    def __init__(self, name: str | None) -> None:
        self._name = name

    def __call__(self, _logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"process": self._name, **line}


class _Throttle:
    """Leaves out the lines of a fault that was logged less than FAULT_SECONDS ago. A fault is an event of the level
    warning or higher, together with the type of its exception and the PLACES of the line."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logged: dict[tuple[str, ...], tuple[float, int]] = {}  # the time, and the lines left out since then

    def __call__(self, _logger: object, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if line.get("level") not in ("warning", "error", "critical"):
            return line
        error = _exception_of(line)
        places = (str(line.get(name, "")) for name in PLACES)
        fault = (str(line.pop(_FAULT, line.get("event"))), type(error).__name__, *places)
        now = time.monotonic()
        with self._lock:
            at, left_out = self._logged.get(fault, (-FAULT_SECONDS, 0))
            if now - at < FAULT_SECONDS:
                self._logged[fault] = (at, left_out + 1)
                raise structlog.DropEvent
            if len(self._logged) >= MAX_FAULTS:
                self._logged = {known: seen for known, seen in self._logged.items() if now - seen[0] < FAULT_SECONDS}
            self._logged[fault] = (now, 0)
        return {**line, "repeated": left_out} if left_out else line


def _exception_of(line: structlog.typing.EventDict) -> BaseException | None:
    given = line.get("exc_info")
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if len(given) > 1 and isinstance(given[1], BaseException) else None
    return sys.exc_info()[1] if given else None


def _hide_messages(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace `exc_info` by `exception`: the tracebacks, the types, and those messages that quote no value."""
    error = _exception_of(line)
    line.pop("exc_info", None)
    if error is not None:
        line["exception"] = "".join(_shown(error))
    return line


def _shown(error: BaseException) -> list[str]:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [] if before is None else [*_shown(before), "\nwhich led to:\n"]
    places: TracebackType | None = error.__traceback__
    state = getattr(error, "sqlstate", None)
    return [
        *lines,
        *traceback.format_tb(places),
        type(error).__qualname__,
        f" {state}" if state else "",
        f": {error}" if isinstance(error, PLAIN_ERRORS) else "",
        "\n",
    ]
