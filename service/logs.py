"""Logs: one format, by structlog, for our lines and for those of the libraries."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TextIO

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from structlog.typing import EventDict, Processor

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

    handler = logging.StreamHandler(stderr)
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
    writer = _Writer(handler)
    structlog.configure(
        processors=[*shared, *rendering],
        logger_factory=lambda *_: writer,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


class _Writer:
    """Writes each line to the stream of a handler. One that cannot be written is lost, as there."""

    def __init__(self, handler: logging.StreamHandler[TextIO]) -> None:
        self._handler = handler

    def write(self, line: str) -> None:
        self._handler.acquire()  # or the lines of two threads could mix
        try:
            self._handler.stream.write(f"{line}\n")  # standard error flushes each line
        except (OSError, ValueError):
            pass
        finally:
            self._handler.release()

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
