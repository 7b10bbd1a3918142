"""The processes in which a worker has its runs done, so that it can kill a run, whatever that does.

A worker's event loop and interpreter are never held by a run: fetching, parsing, comparing and
writing happen in a process of their own, with a connection to the database of its own. `child.py`
is that process's side. A process does one run after the other, and ends after IDLE_SECONDS without
one, or after a run that took much memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from service.database_errors import DatabaseUnavailable
from service.git.folder import remove_leftovers
from service.sync.claims import ClaimLostError
from service.sync.messages import MESSAGE_BYTES_MAX, Outcome, describe_time_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.sync.claims import Claim
    from service.sync.messages import RunOptions
    from service.sync.progress import Progress

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# Longer than DUE_SECONDS of the syncer: periodic runs come at that interval.
IDLE_SECONDS: Final = 15.0

# The longest wait for a process that starts: half a second on an idle machine.
START_SECONDS: Final = 30.0

# A process ends its run at the time limit by itself. One that is this late is killed.
LATE_SECONDS: Final = 5.0

# The time for a run to end when it is told to, before its process is killed.
CANCEL_SECONDS: Final = 0.5

# The time for a process to end that has done its last run.
RETIRE_SECONDS: Final = 1.0

# The longest wait for a process that is writing the end of its run, instead of starting another:
# a client that sees that end may request the next run before the worker has seen it.
FREE_SECONDS: Final = 0.2

# Variables that a process does not inherit. It gets the secrets that it needs through its socket.
SECRET_VARIABLES: Final = (
    "API_TOKEN",
    "BITBUCKET_WEBHOOK_SECRET",
    "DATABASE_URL",
    "GITEA_WEBHOOK_SECRET",
    "GITHUB_WEBHOOK_SECRET",
    "GITLAB_WEBHOOK_SECRET",
    "GIT_PROXY",
    "GIT_TOKEN",
    "GIT_TOKENS",
    "MIGRATIONS_DATABASE_URL",
)

# glibc reserves 64 MB of address space for each of up to 8 arenas per core.
ARENAS: Final = {"MALLOC_ARENA_MAX": "2"}

# Imported modules are never garbage: collecting during the imports only takes time.
PROGRAM: Final = (
    "import gc, sys; gc.disable(); sys.path[:] = sys.argv[1:]; "
    "from service.sync.child import main; main()"
)

NOT_STARTED: Final = "The service's machine cannot start a process for the sync; try later."
OUT_OF_MEMORY: Final = "The documents need more memory than the service may use for one sync."


class RunFailedError(Exception):
    """A run failed, and could not record that itself. `str()` is a sentence for users."""


class RunFaultError(Exception):
    """A run failed through a fault of the service, which its process has logged."""


class ProcessEndedError(Exception):
    """A process ended in the middle of a run: its exit code, negative for a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


class RunProcesses:
    """The processes of one worker, and which of them are idle."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._busy: dict[_RunProcess, Progress] = {}
        self._idle: dict[_RunProcess, asyncio.TimerHandle] = {}
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

    async def _take_idle(self) -> _RunProcess | None:
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

    async def _start(self) -> _RunProcess:
        try:
            return await _RunProcess.start(self._options)
        except (OSError, ProcessEndedError) as error:
            log.error("sync_process_not_started", error=repr(error))  # noqa: TRY400
            raise RunFailedError(NOT_STARTED) from error

    def _keep(self, process: _RunProcess) -> None:
        loop = asyncio.get_running_loop()
        self._idle[process] = loop.call_later(IDLE_SECONDS, self._end_idle, process)

    def _end_idle(self, process: _RunProcess) -> None:
        del self._idle[process]
        self._retire(process)

    def _retire(self, process: _RunProcess) -> None:
        ending = asyncio.create_task(process.retire())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)


class _RunProcess:
    """One process, and the worker's end of its socket."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, options: RunOptions) -> _RunProcess:
        """Start a process and wait until it is ready. Raises OSError and ProcessEndedError."""
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=MESSAGE_BYTES_MAX)
        starting = asyncio.ensure_future(_start_python(theirs))
        starting.add_done_callback(lambda _: theirs.close())
        try:
            # Cancelling a start does not prevent it: let it finish, then kill the process.
            started = cls(await asyncio.shield(starting), reader, writer)
            started.send(options)
            async with asyncio.timeout(START_SECONDS):
                await started.receive()
        except BaseException:
            with suppress(OSError):
                await cls(await starting, reader, writer).kill()
            writer.close()
            raise
        return started

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, or has closed its end of the socket."""
        return self._process.returncode is not None or self._reader.at_eof()

    def send(self, order: object) -> None:
        """Send an object, pickled."""
        self._writer.write(pickle.dumps(order))

    async def receive(self) -> dict[str, Any]:
        """Return the process's next message. Raises ProcessEndedError."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            line = b""
        if not line.endswith(b"\n"):
            raise ProcessEndedError(await self._process.wait())
        return json.loads(line)

    async def do_run(
        self, claim: Claim, seconds: float, report: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Have a run done, and return the message that ends it; `report` gets those before."""
        self.send(claim)
        try:
            async with asyncio.timeout(seconds + LATE_SECONDS):
                return await self._receive_end(report)
        except TimeoutError:
            await self.kill()
            raise RunFailedError(describe_time_limit(seconds)) from None
        except asyncio.CancelledError:
            if end := await self._cancel_run():
                return end
            raise
        except BaseException:
            await self.kill()
            raise

    async def _receive_end(self, report: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        while "end" not in (message := await self.receive()):
            report(message)
        return message

    async def _cancel_run(self) -> dict[str, Any] | None:
        """End the run and the process; return the message that ends the run, if there was one."""
        end = None
        with suppress(OSError, TimeoutError, ProcessEndedError):
            self._order_end()
            async with asyncio.timeout(CANCEL_SECONDS):
                end = await self._receive_end(lambda _: None)
                end["is_last"] = True
                await self._process.wait()
        await self.kill()
        return end

    async def retire(self) -> None:
        """Let the process end by itself, and kill it if it does not."""
        try:
            with suppress(OSError, TimeoutError):
                self._order_end()
                async with asyncio.timeout(RETIRE_SECONDS):
                    await self._process.wait()
        finally:
            await self.kill()

    def _order_end(self) -> None:
        """Close the process's input, which it takes for the order to end."""
        if not self._writer.is_closing():
            self._writer.write_eof()

    async def kill(self) -> None:
        """Kill the process unless it has ended, and what is left of its git."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        code = await self._process.wait()
        if self._writer.is_closing():
            return
        self._writer.close()
        if code:
            with suppress(OSError):  # no temporary folder, so nothing is left in it
                await asyncio.to_thread(remove_leftovers)


def _command() -> list[str]:
    """Return the command line: this interpreter with its options, PROGRAM and sys.path."""
    # Imported late: a service that never syncs takes less memory.
    from multiprocessing.spawn import get_command_line

    command = get_command_line()
    return [
        *command[: command.index("-c")],
        "-c",
        PROGRAM,
        *(str(Path(p).absolute()) for p in sys.path),
    ]


def _environment() -> dict[str, str]:
    left_out = {*SECRET_VARIABLES, *(f"{name}_FILE" for name in SECRET_VARIABLES)}
    inherited = {name: value for name, value in os.environ.items() if name not in left_out}
    return ARENAS | inherited


async def _start_python(stdin: socket.socket) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *_command(),
        stdin=stdin.fileno(),
        stdout=asyncio.subprocess.DEVNULL,
        # Where standard error was closed, its number may be that of another file.
        stderr=None if sys.stderr else asyncio.subprocess.DEVNULL,
        env=_environment(),
        # A terminal sends its Ctrl-C to a process group: the worker decides about its runs.
        start_new_session=True,
    )


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
        case _:
            raise RunFaultError
