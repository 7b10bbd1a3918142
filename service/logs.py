"""Logs: one format, by structlog, for our lines and for those of the libraries."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

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


def configure_logs(level: str, form: str) -> None:
    """Send every log line of `level` and above to standard error.

    `form` is `console` (for people), `json` (one object a line), or `auto`: console on a
    terminal, JSON elsewhere.
    """
    is_console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        _add_request_fields,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(allow=()),
    ]
    if is_console:
        shared.append(structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False))
        rendering: list[Processor] = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=0,
                sort_keys=False,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    else:
        shared.append(structlog.processors.TimeStamper(fmt="iso", utc=True))
        rendering = [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ]

    handler = logging.StreamHandler(sys.stderr)
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

    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _is_kept(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(DROPPED_MESSAGES)


def _add_request_fields(_: object, __: str, event: EventDict) -> EventDict:
    return {**event, **REQUEST_FIELDS.get()}
