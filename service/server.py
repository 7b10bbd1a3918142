"""Serving: one uvicorn server or several, and stopping without haste."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing import connection
from typing import TYPE_CHECKING, Final, cast

import structlog
import uvicorn

from service.app import create_app
from service.logs import configure_logs
from service.protocol import HttpProtocol

if TYPE_CHECKING:
    import socket
    from multiprocessing.context import SpawnProcess
    from types import FrameType

    from starlette.applications import Starlette

    from service.health import HealthCheck
    from service.settings import Settings

log = structlog.stdlib.get_logger()

STARTUP_FAILED: Final = 3  # uvicorn's own code

# How long requests that are under way may take to finish once the service stops.
SHUTDOWN_SECONDS: Final = 30

# A worker that gives up sooner than this has failed to start, and its successor would fail too.
START_SECONDS: Final = 5.0

RESPAWN_SECONDS: Final = 1.0

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(settings: Settings, sockets: list[socket.socket]) -> int:
    """Serve until a signal says stop, with `settings.workers` processes; return an exit code."""
    configure_logs(settings.log_level, settings.log_format)
    host, port = sockets[0].getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if settings.workers > 1:
        return _supervise(settings, sockets, url)
    return _run_server(settings, sockets, url=url)


def server_config(app: Starlette) -> uvicorn.Config:
    """Return how uvicorn serves the application."""
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which on the first signal drains, then stops, and on the second stops now.

    uvicorn itself closes its listeners at once, so that no load balancer ever gets to see a health
    check fail, and passes the signal on when it has stopped, so that the exit code is not 0.
    """

    def __init__(
        self, config: uvicorn.Config, *, drain: float, url: str | None, is_worker: bool
    ) -> None:
        super().__init__(config)
        self._drain = drain
        self._url = url
        self._is_worker = is_worker
        self._stop_at: float | None = None
        self._is_stop_logged = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._url:
            log.info("listening", url=self._url, docs=f"{self._url}/docs")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:
            # uvicorn leaves the lifespan out then, whose task is cancelled later, with a traceback.
            await self.lifespan.shutdown()

    async def on_tick(self, counter: int) -> bool:
        if self._stop_at is not None:
            # Not in handle_exit: a signal may come in the middle of another line.
            if not self._is_stop_logged:
                log.info("stopping", drain_seconds=self._drain)
                self._is_stop_logged = True
            self.should_exit = self.should_exit or time.monotonic() >= self._stop_at
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._is_worker and sig == signal.SIGINT:
            return
        if not self.started:
            self.should_exit = True
        elif self._stop_at is None:
            cast("HealthCheck", self.lifespan.state["health"]).shut_down()
            self._stop_at = time.monotonic() + self._drain
        else:
            self.should_exit = self.force_exit = True


def _run_server(settings: Settings, sockets: list[socket.socket], url: str | None) -> int:
    config = server_config(create_app(settings))
    server = _Server(config, drain=settings.drain, url=url, is_worker=url is None)
    signal.signal(signal.SIGHUP, server.handle_exit)  # the terminal was closed
    server.run(sockets)
    if url:
        log.info("stopped")
    return 0 if server.started else STARTUP_FAILED


def _run_worker(
    settings: Settings, sockets: list[socket.socket], supervisor: connection.Connection
) -> None:
    configure_logs(settings.log_level, settings.log_format)
    # A terminal sends Ctrl-C to every process of the group. A worker leaves it to its supervisor,
    # or one Ctrl-C would look like two signals.
    threading.Thread(target=_stop_without, args=(supervisor,), daemon=True).start()
    sys.exit(_run_server(settings, sockets, url=None))


def _stop_without(supervisor: connection.Connection) -> None:
    # Nothing is ever sent: this ends when the supervisor does, even if it was killed.
    supervisor.poll(None)
    os.kill(os.getpid(), signal.SIGTERM)


class _Supervisor:
    """Keeps `settings.workers` processes serving the same sockets until a signal says stop."""

    def __init__(self, settings: Settings, sockets: list[socket.socket]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._spawn = multiprocessing.get_context("spawn")
        self._alive_end, self._workers_end = self._spawn.Pipe()
        self._workers: dict[SpawnProcess, float] = {}
        self._signals = 0
        self._is_failed = False

    def run(self) -> int:
        """Return 0 after a signal, and STARTUP_FAILED if the workers do not stay up."""
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, self._count_signal)
        for _ in range(self._settings.workers):
            self._start_worker()
        acted_on = 0
        while self._workers:
            # Not for ever: a signal does not end the wait.
            ended = connection.wait([worker.sentinel for worker in self._workers], timeout=0.1)
            if self._signals > acted_on:
                acted_on = self._signals
                self._stop_workers(now=acted_on > 1)
            for worker in [worker for worker in self._workers if worker.sentinel in ended]:
                self._replace(worker)
        return STARTUP_FAILED if self._is_failed else 0

    def _count_signal(self, sig: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _start_worker(self) -> None:
        worker = self._spawn.Process(
            target=_run_worker, args=(self._settings, self._sockets, self._workers_end)
        )
        # What is ignored here is so from the worker's first moment on: see _run_worker.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        worker.start()
        signal.signal(signal.SIGINT, self._count_signal)
        log.info("worker_started", pid=worker.pid)
        self._workers[worker] = time.monotonic()

    def _stop_workers(self, *, now: bool) -> None:
        for worker in self._workers:
            if now:
                worker.kill()
            else:
                worker.terminate()

    def _replace(self, worker: SpawnProcess) -> None:
        started = self._workers.pop(worker)
        worker.join()
        if self._signals or self._is_failed:
            return
        log.error("worker_ended", pid=worker.pid, exit_code=worker.exitcode)
        is_killed = (worker.exitcode or 0) < 0
        is_young = time.monotonic() - started < START_SECONDS
        if is_young and not is_killed:
            self._is_failed = True
            self._stop_workers(now=False)
            return
        if is_young:  # killed at once, as for want of memory: the next one may be, too
            time.sleep(RESPAWN_SECONDS)
        self._start_worker()


def _supervise(settings: Settings, sockets: list[socket.socket], url: str) -> int:
    log.info("listening", url=url, docs=f"{url}/docs", workers=settings.workers)
    code = _Supervisor(settings, sockets).run()
    log.info("stopped")
    return code
