"""Logs: one format, by structlog, for our lines and for those of the libraries and of Python.

A thread writes them, from log_queue.py: a log that cannot be written delays nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TextIO, cast

import structlog

from service.telemetry.log_queue import QueuedStream, queue_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from structlog.typing import EventDict, Processor

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# Prefixes of uvicorn's messages that repeat ours or report no error. HttpProtocol logs a malformed
# request with its id. A request that offers WebSocket is served over HTTP, as the protocol allows.
DROPPED_MESSAGES = (
    "Invalid HTTP request",
    "Unsupported upgrade request",
    "No supported WebSocket library",
)

# The fields of every line that is written during a request. structlog's own contextvars take ten
# times as long to set.
REQUEST_FIELDS: Final[ContextVar[Mapping[str, str]]] = ContextVar(
    "request_fields", default=MappingProxyType({})
)


def configure_logs(level: str, form: str, *, is_one_of_several: bool = False) -> None:
    """Send every log line of `level` and above to standard error.

    `form` is `console` (for people), `json` (one object a line), or `auto`: console on a
    terminal, JSON elsewhere. A JSON line has the process id; a line for people has it only where
    the process is one of several workers.
    """
    # Python has no standard error where a service manager closed it. This file stays open.
    stderr: TextIO = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    put = _open_queue(stderr)
    is_console = form == "console" or (form == "auto" and stderr.isatty())
    shared: list[Processor] = [_add_request_fields, structlog.processors.add_log_level]
    if is_console:
        if is_one_of_several:
            shared.append(_add_process_id)
        shared.append(structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False))
        rendering: list[Processor] = [
            structlog.dev.ConsoleRenderer(
                colors=stderr.isatty(),
                pad_event_to=0,
                sort_keys=False,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    else:
        shared += [
            _add_severity,
            _add_process_id,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ]
        rendering = [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            _render_json,
        ]

    handler = _Handler(put)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # uvicorn's lines about starting and stopping repeat ours; keep its warnings and errors.
    uvicorn_log = logging.getLogger("uvicorn.error")
    if level != "DEBUG":
        uvicorn_log.setLevel(logging.WARNING)
    uvicorn_log.addFilter(_is_kept)

    # Our lines do not go through logging, where each would take nine times as long.
    writer = _Writer(put)
    structlog.configure(
        processors=[*shared, *rendering],
        logger_factory=lambda *_: writer,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


def dropped_lines() -> int:
    """Return how many lines this process dropped since its start."""
    return sys.stderr.dropped_lines if isinstance(sys.stderr, QueuedStream) else 0


def _open_queue(stderr: TextIO) -> Callable[[str], object]:
    """Return the function that takes the lines for `stderr`; send there what Python prints, too."""
    try:
        descriptor = stderr.fileno()
    except (OSError, ValueError):  # no file: a stream in memory, which blocks nothing
        return stderr.write
    queue = queue_for(descriptor)
    queue.report_dropped = _report_dropped
    if not isinstance(stderr, QueuedStream):
        sys.stderr = cast("TextIO", QueuedStream(queue, stderr))
        sys.excepthook = _log_crash
        threading.excepthook = _log_thread_crash
        logging.captureWarnings(True)
    return queue.put


def _report_dropped(lines: int) -> None:
    log.warning("log_lines_dropped", lines=lines)


def _log_crash(
    cls: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    log.critical("crashed", exc_info=(cls, error, traceback))


def _log_thread_crash(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None and crash.exc_type is not SystemExit:
        thread = crash.thread.name if crash.thread else None
        error = (crash.exc_type, crash.exc_value, crash.exc_traceback)
        log.critical("thread_crashed", thread=thread, exc_info=error)


class _Handler(logging.Handler):
    """Takes the lines of the libraries."""

    def __init__(self, put: Callable[[str], object]) -> None:
        super().__init__()
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._put(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - as in logging's own handlers
            self.handleError(record)


class _Writer:
    """Takes our lines."""

    def __init__(self, put: Callable[[str], object]) -> None:
        self._put = put

    def write(self, line: str) -> None:
        # A stream in memory may have been closed.
        with suppress(ValueError):
            self._put(f"{line}\n")

    debug = info = warning = error = critical = write


def _is_kept(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(DROPPED_MESSAGES)


def _add_request_fields(_: object, __: str, event: EventDict) -> EventDict:
    event.update(REQUEST_FIELDS.get())
    return event


def _add_severity(_: object, __: str, event: EventDict) -> EventDict:
    # https://cloud.google.com/logging/docs/structured-logging: Google Cloud reads the name of the
    # severity from this field, and takes every line on standard error without it for an ERROR.
    event["severity"] = event["level"].upper()
    return event


def _add_process_id(_: object, __: str, event: EventDict) -> EventDict:
    event["pid"] = os.getpid()
    return event


# In ASCII: no character of a path or an error can look like the end of a line or hide text.
_encode_json = json.JSONEncoder(default=repr).encode


def _render_json(_: object, __: str, event: EventDict) -> str:
    return _encode_json(event)
