"""The process of a run, from its own side: it is started by process.py, and ends with the worker.

It gets its orders through a socket, its standard input; see messages.py. The end of that input is
the order to end, and comes also when the worker is killed: the process then ends its git, removes
the temporary folder and ends. The kernel's signal at the death of a parent would leave both behind.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import resource
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import structlog

from service.database.database import open_database
from service.database.errors import DatabaseUnavailable
from service.sync.claims import ClaimLostError
from service.sync.messages import encode_message
from service.sync.progress import Progress
from service.sync.run import sync_source
from service.telemetry.logs import configure_logs

if TYPE_CHECKING:
    from types import FrameType

    from service.database.database import Database
    from service.sync.claims import Claim
    from service.sync.messages import RunOptions

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# Below the priority of the service, and so is git, which inherits it.
NICENESS: Final = 10

# The limit of address space, and what is added for each document above FILES_ALLOWED_FOR. A run of
# 50,000 documents of 2 KB uses 226 MB, of which 170 MB are libraries and reserves.
MEMORY_BYTES: Final = 512 * 1024 * 1024
MEMORY_BYTES_PER_FILE: Final = 4096
FILES_ALLOWED_FOR: Final = 50_000

# The kernel kills the process with the highest value first when memory runs out, from -1000 to
# 1000: rather this one, whose run can be repeated, than the worker or the database.
OOM_SCORE: Final = 500

# A run that took more memory than this at its peak is the last one of its process: Python does not
# give all of it back.
LARGE_BYTES: Final = 80_000_000

# From linux/prctl.h.
PR_SET_CHILD_SUBREAPER: Final = 36

# So long after the time limit of a run, the kernel ends its process if no worker has done so: the
# worker was killed, and the process is stuck in code that holds the interpreter.
KERNEL_SECONDS_MORE: Final = 7.0

# Of the RuntimeError that Python raises where the system gives no thread, or no memory for one.
NO_THREAD: Final = "can't start new thread"

REPORT_SECONDS: Final = 0.5

# A run uses one connection at a time.
CONNECTIONS: Final = 1

# The time to end after the order to end.
END_SECONDS: Final = 2.0

# As in the server's worker.
GARBAGE_THRESHOLDS: Final = (10_000, 10, 10)


def main() -> None:
    """Do the runs that the worker orders, until it closes the socket."""
    for stop_signal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Only the worker ends its runs. A handler, not SIG_IGN, which git would inherit.
        signal.signal(stop_signal, _ignore)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # for _limit_run
    channel = _take_channel()
    orders = channel.makefile("rb")
    options: RunOptions = pickle.load(orders)  # noqa: S301
    configure_logs(options.log_level, options.log_format, is_one_of_several=True)
    _limit_process(options.max_files)
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    gc.enable()
    try:
        with suppress(asyncio.CancelledError, ConnectionError):
            asyncio.run(_do_runs(options, channel, orders))
    except RuntimeError as error:
        if not _lacks_thread(error):
            raise
        # The run's end is told; closing the event loop needs a thread, too.


def _lacks_thread(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and str(error) == NO_THREAD


def _ignore(_: int, __: FrameType | None) -> None:
    pass


def _take_channel() -> socket.socket:
    """Return the socket that is standard input, and replace that: git must not inherit it."""
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    return channel


def _limit_process(max_files: int) -> None:
    os.nice(NICENESS)
    if sys.platform != "linux":
        return
    limits = resource.getrlimit(resource.RLIMIT_AS)
    lower = [limit for limit in limits if limit != resource.RLIM_INFINITY]
    wanted = MEMORY_BYTES + max(0, max_files - FILES_ALLOWED_FOR) * MEMORY_BYTES_PER_FILE
    # Only the soft limit: git has limits of its own, and a hard limit below this one stays.
    resource.setrlimit(resource.RLIMIT_AS, (min([wanted, *lower]), limits[1]))
    score = Path("/proc/self/oom_score_adj")
    with suppress(OSError):  # a container may have no writable /proc
        score.write_text(str(max(OOM_SCORE, int(score.read_text()))))
    import ctypes

    # git's helpers outlive a git that is killed; git/process.py reaps them.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def _limit_run(seconds: float) -> None:
    """End this process by SIGALRM unless the run ends in so many seconds; 0 for no limit."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


async def _do_runs(options: RunOptions, channel: socket.socket, orders: IO[bytes]) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    claims: asyncio.Queue[Claim] = asyncio.Queue()

    def read_orders() -> None:
        with suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                claim = pickle.load(orders)  # noqa: S301
                loop.call_soon_threadsafe(claims.put_nowait, claim)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(task.cancel)
        time.sleep(END_SECONDS)
        os._exit(1)

    threading.Thread(target=read_orders, daemon=True).start()
    async with open_database(
        options.database_url,
        CONNECTIONS,
        use_prepared_statements=options.database_prepared_statements,
        migrations=options.migrations,
    ) as database:
        channel.sendall(encode_message(ready=True))
        is_last = False
        while not is_last:
            end = await _do_run(database, await claims.get(), options, channel)
            is_last = end.pop("is_last", False) or _peak_bytes() > LARGE_BYTES
            channel.sendall(encode_message(**end, is_last=is_last))


async def _do_run(
    database: Database, claim: Claim, options: RunOptions, channel: socket.socket
) -> dict[str, Any]:
    """Do a run, report its progress meanwhile, and return the message that ends it."""

    def report() -> None:
        message = encode_message(
            files_total=progress.files_total,
            files_done=progress.files_done,
            is_writing=progress.is_writing,
        )
        with suppress(ConnectionError):  # the worker is gone, and the order to end comes
            channel.sendall(message)

    async def report_regularly() -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            report()

    _limit_run(options.seconds + KERNEL_SECONDS_MORE)
    progress = Progress(report)
    reporting = asyncio.create_task(report_regularly())
    try:
        outcome = await sync_source(database, claim, options, progress)
    except ClaimLostError:
        return {"end": "claim_lost"}
    except DatabaseUnavailable as error:
        return {"end": "database_unavailable", "reason": error.reason}
    except MemoryError:
        return {"end": "out_of_memory", "is_last": True}
    except Exception as error:
        if _lacks_thread(error):
            return {"end": "no_thread", "is_last": True}
        log.exception("sync_fault", project_doc_id=str(claim.source_id))
        return {"end": "fault", "is_last": True}
    finally:
        _limit_run(0)
        reporting.cancel()
    return {"end": "outcome", **outcome._asdict()}


def _peak_bytes() -> int:
    """Return the most resident memory that the process has had; 0 where the system does not say.

    Not getrusage's ru_maxrss, which begins with that of the worker.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
