"""The processes in which a worker has its runs done: which are busy, and which idle.

A process does one run after the other. It ends after IDLE_SECONDS without one, and at once after a
run that took much memory, which Python would not give back.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from service.database.errors import DatabaseUnavailable
from service.git.errors import NO_PROCESSES
from service.sync.claims import ClaimLostError
from service.sync.messages import Outcome
from service.sync.process import ProcessEndedError, RunFailedError, RunProcess
from service.sync.turns import open_turns

if TYPE_CHECKING:
    from service.sync.claims import Claim
    from service.sync.messages import RunOptions
    from service.sync.progress import Progress

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# Longer than DUE_SECONDS of the syncer: periodic runs come at that interval.
IDLE_SECONDS: Final = 15.0

# The longest wait for a process that is writing the end of its run, instead of starting another:
# a client that sees that end may request the next run before the worker has seen it.
FREE_SECONDS: Final = 0.2

NOT_STARTED: Final = "The service's machine cannot start a process for the sync; try later."
OUT_OF_MEMORY: Final = "The documents need more memory than the service may use for one sync."


class RunFaultError(Exception):
    """A run failed through a fault of the service, which its process has logged."""


class RunProcesses:
    """The processes of one worker, and which of them are idle."""

    def __init__(self, options: RunOptions) -> None:
        # For as long as the worker runs, so that each process has the same file.
        self._options = replace(options, turns=open_turns())
        self._busy: dict[RunProcess, Progress] = {}
        self._idle: dict[RunProcess, asyncio.TimerHandle] = {}
        self._freed = asyncio.Event()
        self._endings: set[asyncio.Task[None]] = set()

    async def do_run(self, claim: Claim, progress: Progress) -> Outcome:
        """Have a claimed run done, copy its progress meanwhile, and return its outcome.

        Raises ClaimLostError, DatabaseUnavailable, RunFailedError, RunFaultError and
        ProcessEndedError. If the call is cancelled, the run has ended when this returns or raises.
        """
        process = await self._take_idle() or await self._start()
        self._busy[process] = progress
        is_reusable = False
        try:
            message = await process.do_run(claim, self._options.seconds, progress.update)
            is_reusable = not message["is_last"]
        finally:
            del self._busy[process]
            if is_reusable:
                self._keep(process)
            else:
                self._retire(process)
            self._freed.set()
        return _read_end(message)

    async def close(self) -> None:
        """Kill all processes."""
        idle = list(self._idle)
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()
        for ending in self._endings:
            ending.cancel()
        processes = [*idle, *self._busy]
        await asyncio.gather(
            *(process.kill() for process in processes), *self._endings, return_exceptions=True
        )

    async def _take_idle(self) -> RunProcess | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FREE_SECONDS):
                while True:
                    while self._idle:
                        process, timer = self._idle.popitem()
                        timer.cancel()
                        if not process.has_ended:
                            return process
                        self._retire(process)
                    if not any(progress.is_writing for progress in self._busy.values()):
                        break
                    self._freed.clear()
                    await self._freed.wait()
        return None

    async def _start(self) -> RunProcess:
        try:
            return await RunProcess.start(self._options)
        except (OSError, ProcessEndedError) as error:
            log.error("sync_process_not_started", error=repr(error))  # noqa: TRY400
            raise RunFailedError(NOT_STARTED) from error

    def _keep(self, process: RunProcess) -> None:
        loop = asyncio.get_running_loop()
        self._idle[process] = loop.call_later(IDLE_SECONDS, self._end_idle, process)

    def _end_idle(self, process: RunProcess) -> None:
        del self._idle[process]
        self._retire(process)

    def _retire(self, process: RunProcess) -> None:
        ending = asyncio.create_task(process.retire())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)


def _read_end(message: dict[str, Any]) -> Outcome:
    match message["end"]:
        case "outcome":
            return Outcome(
                message["fields"], message["refused_tokens"], message["is_service_fault"]
            )
        case "claim_lost":
            raise ClaimLostError
        case "database_unavailable":
            raise DatabaseUnavailable(message["reason"])
        case "out_of_memory":
            raise RunFailedError(OUT_OF_MEMORY)
        case "no_thread":
            raise RunFailedError(NO_PROCESSES)
        case _:
            raise RunFaultError
