"""The part of each process that does the syncs: it claims runs, and keeps them while it works."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog

from service.database_errors import DatabaseUnavailable
from service.sync.progress import Progress
from service.sync.queue import (
    CLAIM_SECONDS,
    DATABASE_AWAY,
    INTERRUPTED,
    MAX_ATTEMPTS,
    RENEW_SECONDS,
    ClaimLostError,
    claim_run,
    fail_run,
    hold_claim,
    release_run,
    renew_claim,
    request_due_syncs,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from service.database import Database
    from service.metrics import Metrics
    from service.settings import Settings
    from service.sync.queue import Claim

log = structlog.stdlib.get_logger()

# How often a process looks for runs that others asked for, or had and lost.
POLL_SECONDS: Final = 2.0

# How often it looks whether one is due, which is more work.
DUE_SECONDS: Final = 10.0

# How long the end of the service may wait for what is under way to be given back.
STOP_SECONDS: Final = 3.0
END_SECONDS: Final = 1.0

NOT_NOW: Final = (DatabaseUnavailable, asyncpg.PostgresError)

FAULT: Final = "Something went wrong on our side; the service's log says what."


class Syncer:
    """Does the runs that are to be done, several at a time, as long as it runs."""

    def __init__(self, database: Database, settings: Settings, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._settings = settings
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._is_database_away = False
        self._due_at = 0.0

    def wake(self) -> None:
        """Look for runs now: one was asked for."""
        self._woken.set()

    def stop(self) -> None:
        """Begin no more runs; those under way go on. May be called by a signal's handler."""
        self._is_stopping = True

    async def run(self) -> None:
        """Begin runs until it is told to stop."""
        while not self._is_stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)
            self._woken.clear()
            try:
                await self._look()
            except Exception:
                log.exception("syncer_fault")  # and look again, after a while

    async def give_back(self) -> None:
        """Give back what is under way, for others to do."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _look(self) -> None:
        try:
            await self._request_due()
            while not self._is_stopping and len(self._running) < self._settings.sync_concurrency:
                asked_at = time.monotonic()
                claim = await claim_run(self._database)
                self._is_database_away = False
                if claim is None:
                    break
                if self._is_stopping:
                    await release_run(self._database, claim, is_attempt=False)
                    break
                task = asyncio.create_task(self._do(claim, asked_at))
                self._running.add(task)
                self._metrics.syncs_running.inc()
                task.add_done_callback(self._finish)
        except NOT_NOW as error:
            # Also where the schema is not there yet, or the server is a standby. Health has told
            # what is wrong with the database; here once is enough.
            if not self._is_database_away:
                log.warning("sync_waits_for_database", error=repr(error))
            self._is_database_away = True

    async def _request_due(self) -> None:
        now = time.monotonic()
        if self._is_stopping or not self._settings.sync_every_minutes or now < self._due_at:
            return
        self._due_at = now + DUE_SECONDS
        await request_due_syncs(self._database, self._settings.sync_every_minutes)
        self._is_database_away = False

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._metrics.syncs_running.dec()
        self.wake()

    async def _do(self, claim: Claim, asked_at: float) -> None:
        # Here, not above: a service that never syncs is smaller and starts faster without.
        from service.sync.run import sync

        started = time.perf_counter()
        fields: dict[str, Any] = {"project_doc_id": str(claim.project_doc_id)}
        if claim.attempts > MAX_ATTEMPTS:
            await self._fail(claim, INTERRUPTED, fields)
            return
        progress = Progress(asked_at)
        work = asyncio.create_task(sync(self._database, claim, self._settings, progress))
        renewals = asyncio.create_task(self._renew(claim, progress))
        is_given_back = False
        try:
            while not (work.done() or renewals.done() or _is_overdue(progress)):
                await asyncio.wait(
                    {work, renewals},
                    timeout=RENEW_SECONDS / 4,
                    return_when=asyncio.FIRST_COMPLETED,
                )
        except asyncio.CancelledError:  # only give_back() does that, and waits for the end
            is_given_back = True
        await _stop(work)
        await _stop(renewals)
        try:
            # It may have come to its end all the same, and what is done is told.
            if work.cancelled() and not is_given_back:
                renewals.result()
            outcome = work.result()
        except ClaimLostError:
            log.info("sync_left_to_others", **fields)
        except DatabaseUnavailable as error:
            log.warning("sync_interrupted", **fields, reason=error.reason)
            await self._try_again(claim, fields)
        except asyncio.CancelledError:
            if is_given_back:
                await self._release(claim, is_attempt=False)
            else:
                log.warning("sync_interrupted", **fields, reason="timeout")
                await self._try_again(claim, fields)
        except Exception:
            log.exception("sync_fault", **fields)
            await self._fail(claim, FAULT, None)
        else:
            seconds = time.perf_counter() - started
            self._metrics.observe_sync(outcome["status"], seconds)
            log.info("sync_finished", **fields, **outcome, duration_ms=round(seconds * 1000))

    async def _renew(self, claim: Claim, progress: Progress) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            async with progress.turn:
                if progress.is_finished:
                    continue
                asked_at = time.monotonic()
                with suppress(*NOT_NOW):  # tried again soon; the claim lasts for a while
                    await renew_claim(
                        self._database, claim, progress.files_total, progress.files_done
                    )
                    progress.claimed_at = asked_at

    async def _try_again(self, claim: Claim, fields: Mapping[str, Any]) -> None:
        if claim.attempts < MAX_ATTEMPTS:
            await self._release(claim, is_attempt=True)
        else:
            await self._fail(claim, DATABASE_AWAY, fields)

    async def _release(self, claim: Claim, *, is_attempt: bool) -> None:
        with suppress(*NOT_NOW):  # the claim runs out by itself
            await release_run(self._database, claim, is_attempt=is_attempt)

    async def _fail(self, claim: Claim, error: str, fields: Mapping[str, Any] | None) -> None:
        """Note a failure, and tell of it, if `fields` says of what it is to be told."""
        try:
            async with self._database.transaction() as transaction:
                await hold_claim(transaction, claim)
                await fail_run(transaction, claim, error, 0)
            self._metrics.count_sync_given_up()
        except (ClaimLostError, *NOT_NOW):
            log.warning("sync_failure_not_noted", project_doc_id=str(claim.project_doc_id))
        else:
            if fields is not None:
                log.info("sync_finished", **fields, status="failed", error=error)


def _is_overdue(progress: Progress) -> bool:
    """Return whether another may have claimed the run by now, without our knowing."""
    is_ours = progress.is_finishing or progress.is_finished
    return not is_ours and time.monotonic() > progress.claimed_at + CLAIM_SECONDS


async def _stop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # told before, or of no interest any more


@asynccontextmanager
async def syncing(
    database: Database, settings: Settings, metrics: Metrics
) -> AsyncGenerator[Syncer]:
    """Do syncs for as long as the block runs."""
    worker = Syncer(database, settings, metrics)
    # In a context of its own: its lines in the log belong to no request.
    looking = asyncio.create_task(worker.run(), context=Context())
    try:
        yield worker
    finally:
        worker.stop()
        worker.wake()
        # Not cancelled: a run that it claims just now would be nobody's for a while.
        ending = {looking, asyncio.create_task(worker.give_back())}
        _, late = await asyncio.wait(ending, timeout=STOP_SECONDS)
        if late:
            # The database does not answer. Claims run out by themselves; here all else is to end.
            database.terminate()
            await asyncio.wait(late, timeout=END_SECONDS)
