"""Serve in this process with uvicorn; drain and stop at a signal."""

from __future__ import annotations

import errno
import faulthandler
import gc
import os
import resource
import signal
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

import structlog
import uvicorn

from service.app import create_app
from service.server.protocol import HttpProtocol

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from starlette.applications import Starlette

    from service.health import HealthCheck
    from service.settings import Settings
    from service.sync.syncer import Syncer
    from service.telemetry.shared_values import SharedValues

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

STARTUP_FAILED: Final = 3  # uvicorn's own code

# Python's default for the first threshold is 700 objects. A hundred concurrent requests have as
# many, and the collector would scan them again and again without freeing any.
GARBAGE_THRESHOLDS: Final = (10_000, 10, 10)

HEAP_KEPT: Final = 2 * 1024 * 1024  # bytes of free memory

TICKS_PER_SECOND: Final = 10  # of uvicorn's main loop

# What a stop may take beyond DRAIN_SECONDS and SHUTDOWN_SECONDS. The syncer needs most of this.
STOP_MARGIN_SECONDS: Final = 1.7


def run_server(
    settings: Settings,
    sockets: list[socket.socket],
    url: str | None,
    shared: SharedValues | None = None,
) -> int:
    """Serve until a signal; return 0, or STARTUP_FAILED.

    One of several workers has no `url`, and shares the values of its metrics with the others.
    """
    server = _Server(server_config(create_app(settings, shared), settings), settings.drain, url)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, server.handle_exit)  # the terminal was closed
    server.run(sockets)
    faulthandler.cancel_dump_traceback_later()
    if url:
        log.info("stopped")
    return 0 if server.started else STARTUP_FAILED


def server_config(app: Starlette, settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration: its own logs, headers and proxies off, HttpProtocol on."""
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # RequestContext reads these
        # uvicorn's type is int, but fractions work.
        timeout_graceful_shutdown=cast("int", settings.shutdown),
    )


class _Server(uvicorn.Server):
    """uvicorn's server. The first signal makes it drain, then stop; a second, stop at once.

    uvicorn itself closes its listeners at the first signal, so that no load balancer sees a health
    check fail, and raises the signal again after it stopped, so that the exit code is not 0.
    """

    def __init__(self, config: uvicorn.Config, drain: float, url: str | None) -> None:
        super().__init__(config)
        self._drain = drain
        self._url = url
        self._stop_at: float | None = None
        self._is_stop_logged = False
        self._has_descriptors = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Objects that exist after the startup are never garbage: exempt them from collection.
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        gc.enable()
        _keep_free_memory()
        if self.started and self._url:
            log.info("listening", url=self._url, docs=f"{self._url}/docs")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:
            # uvicorn skips the end of the lifespan then, and cancels its task with a traceback.
            await self.lifespan.shutdown()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_PER_SECOND == 0:
            for connection in list(self.server_state.connections):
                cast("HttpProtocol", connection).end_if_late()
            self._watch_descriptors()
        if self._stop_at is not None:
            # Not in handle_exit: a signal may interrupt the writing of another line.
            if not self._is_stop_logged:
                log.info("stopping", drain_seconds=self._drain)
                self._is_stop_logged = True
            self.should_exit = self.should_exit or time.monotonic() >= self._stop_at
        return await super().on_tick(counter)

    def _watch_descriptors(self) -> None:
        """Log once when file descriptors run out: uvloop drops new connections without a word."""
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE) and self._has_descriptors:
                self._has_descriptors = False
                limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
                connections = len(self.server_state.connections)
                log.error("no_file_descriptors", limit=limit, connections=connections)  # noqa: TRY400
        else:
            if not self._has_descriptors:
                self._has_descriptors = True
                log.info("file_descriptors_recovered")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        is_supervised = self._url is None
        if is_supervised and sig in (signal.SIGINT, signal.SIGHUP):
            return  # of a terminal: the supervisor got it, too, and sends SIGTERM
        is_first = not self.should_exit and self._stop_at is None
        seconds = self._drain + (self.config.timeout_graceful_shutdown or 0) if is_first else 0
        _exit_after(seconds + STOP_MARGIN_SECONDS)
        if not self.started:
            self.should_exit = True
        elif self._stop_at is None:
            cast("HealthCheck", self.lifespan.state["health"]).shut_down()
            cast("Syncer", self.lifespan.state["syncer"]).stop()
            self._stop_at = time.monotonic() + self._drain
        else:
            self.should_exit = self.force_exit = True


def _exit_after(seconds: float) -> None:
    """End this process in so many seconds, even if its event loop or its interpreter is stuck.

    The exit code is 1 then. First the traceback of each thread goes to the log, by a thread that
    does not need the interpreter.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=_open_unblocked_log())


def _open_unblocked_log() -> int:
    """Return a descriptor for standard error to which no write waits for the reader."""
    with suppress(OSError):  # closed, or not Linux
        mode = os.fstat(2).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            # O_NONBLOCK holds for this opening alone.
            return os.open("/proc/self/fd/2", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        if stat.S_ISSOCK(mode):  # as of systemd's journal
            # It cannot be opened again. The threads that write our log lines wait by themselves.
            os.set_blocking(2, False)
    return 2


def _keep_free_memory() -> None:
    # glibc returns free memory at the end of its heap to the system when it has more than 128 KiB
    # there: with many requests at once, each document of 50 KB would cost twenty page faults.
    # Freeing one larger block raises this limit to twice the block: see M_TRIM_THRESHOLD in
    # mallopt(3). Elsewhere this does nothing.
    bytes(HEAP_KEPT // 2)
