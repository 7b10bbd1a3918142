"""Start, replace and stop several workers that serve the same sockets."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from multiprocessing import connection, resource_tracker
from typing import TYPE_CHECKING, Final

import structlog

from service.server.stop_signals import stop_signals
from service.server.worker import STARTUP_FAILED, STOP_MARGIN_SECONDS, run_server
from service.telemetry.logs import configure_logs
from service.telemetry.shared_values import SharedValues, create_regions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.context import SpawnProcess
    from types import FrameType

    from service.settings import Settings
    from service.telemetry.shared_values import Region

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# A worker that exits with an error sooner than this failed to start, and so would its successor.
START_SECONDS: Final = 5.0

RESPAWN_SECONDS: Final = 1.0

# So long after a worker should have ended by itself, it is killed: it is frozen, or stuck in native
# code since before the signal.
KILL_MARGIN_SECONDS: Final = 0.15


def supervise(settings: Settings, sockets: list[socket.socket]) -> int:
    """Run `settings.workers` processes until a signal; return 0, or STARTUP_FAILED."""
    try:
        regions = create_regions(settings.workers)
    except OSError as error:
        log.error("metrics_not_shared", error=repr(error))  # noqa: TRY400
        regions = []
    return _Supervisor(settings, sockets, regions).run()


def _run_worker(
    settings: Settings,
    sockets: list[socket.socket],
    supervisor: connection.Connection,
    regions: Sequence[Region],
    own: int,
) -> None:
    # Ignored until the server has its handler, and no longer blocked, which git would inherit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    configure_logs(settings.log_level, settings.log_format, is_one_of_several=True)
    threading.Thread(target=_stop_with_supervisor, args=(supervisor,), daemon=True).start()
    try:
        shared = SharedValues(regions, own) if regions else None
    except OSError as error:
        log.error("metrics_not_shared", error=repr(error))  # noqa: TRY400
        shared = None
    sys.exit(run_server(settings, sockets, url=None, shared=shared))


def _stop_with_supervisor(supervisor: connection.Connection) -> None:
    supervisor.poll(None)  # nothing is ever sent: returns when the supervisor ends, even if killed
    os.kill(os.getpid(), signal.SIGTERM)


class _Supervisor:
    """Keeps `settings.workers` processes running until a signal."""

    def __init__(
        self, settings: Settings, sockets: list[socket.socket], regions: Sequence[Region]
    ) -> None:
        self._settings = settings
        self._sockets = sockets
        self._regions = regions
        self._spawn = multiprocessing.get_context("spawn")
        self._alive_end, self._workers_end = self._spawn.Pipe()
        # When each worker was started, and the index of its region.
        self._workers: dict[SpawnProcess, tuple[float, int]] = {}
        # When a worker is to be started, by the index of its region.
        self._due = dict.fromkeys(range(settings.workers), 0.0)
        self._can_start = True
        self._signals = 0
        self._kill_at: float | None = None
        self._is_failed = False

    def run(self) -> int:
        """Return 0 after a signal, or STARTUP_FAILED if no worker starts, or they fail at once."""
        # A signal does not interrupt the wait for workers; the byte that it writes here ends it.
        signalled, signalling = socket.socketpair()
        with signalled, signalling:
            signalling.setblocking(False)  # set_wakeup_fd requires it
            signal.set_wakeup_fd(signalling.fileno())
            try:
                for stop_signal in stop_signals():
                    signal.signal(stop_signal, self._count_signal)
                self._watch_workers(signalled)
            finally:
                signal.set_wakeup_fd(-1)
                # After a fault of this class: the end of Python would wait for them.
                for worker in self._workers:
                    worker.terminate()
        return STARTUP_FAILED if self._is_failed else 0

    def _watch_workers(self, signalled: socket.socket) -> None:
        self._start_due()
        acted_on = 0
        while self._workers or self._due:
            sentinels = [worker.sentinel for worker in self._workers]
            ended = connection.wait([signalled, *sentinels], self._seconds_to_wait())
            if signalled in ended:
                signalled.recv(1)
            if self._signals > acted_on:
                acted_on = self._signals
                self._stop_workers(now=acted_on > 1)
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                log.error("workers_do_not_stop", workers=len(self._workers))
                self._stop_workers(now=True)
            for worker in [worker for worker in self._workers if worker.sentinel in ended]:
                self._replace(worker)
            self._start_due()

    def _seconds_to_wait(self) -> float | None:
        moments = [*self._due.values()]
        if self._kill_at is not None:
            moments.append(self._kill_at)
        return max(0, min(moments) - time.monotonic()) if moments else None

    def _count_signal(self, sig: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _start_due(self) -> None:
        now = time.monotonic()
        for own in [own for own, due in self._due.items() if due <= now]:
            if own in self._due:  # not after a failure, which clears it
                self._start_worker(own)

    def _start_worker(self, own: int) -> None:
        worker = self._spawn.Process(
            target=_run_worker,
            args=(self._settings, self._sockets, self._workers_end, self._regions, own),
        )
        try:
            # A worker inherits the blocked SIGINT. A terminal sends Ctrl-C to every process of its
            # group, and until a worker has its own handler, that would end it with a traceback.
            resource_tracker.ensure_running()  # here, because it unblocks SIGINT
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            worker.start()
        except OSError as error:  # no process, no memory or no file descriptor is left
            if self._can_start:
                log.error("worker_not_started", error=repr(error))  # noqa: TRY400
            self._can_start = False
            if self._workers:
                self._due[own] = time.monotonic() + RESPAWN_SECONDS
            else:
                self._fail()
            return
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        log.info("worker_started", worker_pid=worker.pid)
        self._can_start = True
        self._due.pop(own, None)
        self._workers[worker] = time.monotonic(), own

    def _fail(self) -> None:
        self._is_failed = True
        self._stop_workers(now=False)

    def _stop_workers(self, *, now: bool) -> None:
        seconds = self._settings.drain + self._settings.shutdown + STOP_MARGIN_SECONDS
        self._kill_at = None if now else time.monotonic() + seconds + KILL_MARGIN_SECONDS
        self._due.clear()
        for worker in self._workers:
            if now:
                worker.kill()
            else:
                worker.terminate()

    def _replace(self, worker: SpawnProcess) -> None:
        started, own = self._workers.pop(worker)
        worker.join()
        if self._regions:
            self._regions[own].mark(is_alive=False)
        if self._signals or self._is_failed:
            return
        log.error("worker_ended", worker_pid=worker.pid, exit_code=worker.exitcode)
        now = time.monotonic()
        is_young = now - started < START_SECONDS
        is_fault = (worker.exitcode or 0) > 0  # it exited by itself; a signal gives a negative code
        others_are_well = any(now - start > START_SECONDS for start, _ in self._workers.values())
        if is_young and is_fault and not others_are_well:
            self._fail()
            return
        # A young worker, such as one killed for lack of memory: its successor may end as soon.
        self._due[own] = now + RESPAWN_SECONDS if is_young else now
