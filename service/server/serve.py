"""Serve in this process or, with several workers, under a supervisor."""

from __future__ import annotations

import gc
import resource
from typing import TYPE_CHECKING, Final

import structlog

from service.connecting.url import read_url
from service.server.worker import run_server
from service.telemetry.logs import configure_logs

if TYPE_CHECKING:
    import socket

    from service.settings import Settings

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# Each connection is an open file, and the usual limit of a process is 1,024.
OPEN_FILES: Final = 65_536


def serve(settings: Settings, sockets: list[socket.socket]) -> int:
    """Serve with `settings.workers` processes until a signal; return an exit code."""
    configure_logs(settings.log_level, settings.log_format)
    _raise_file_limit()
    for setting, reason in settings.warnings:
        log.warning("setting_ignored", setting=setting, reason=reason)
    _log_database_options(settings)
    host, port = sockets[0].getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if settings.workers == 1:
        return run_server(settings, sockets, url=url)
    from service.server.supervisor import supervise

    gc.enable()
    log.info("listening", url=url, docs=f"{url}/docs", workers=settings.workers)
    code = supervise(settings, sockets)
    log.info("stopped")
    return code


def _log_database_options(settings: Settings) -> None:
    address = read_url(settings.database_url)
    if address.ignored:
        log.info("database_options_ignored", options=", ".join(address.ignored))
    if address.binds_channel:
        log.info("channel_binding_replaced", by="sslmode=verify-full")


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
