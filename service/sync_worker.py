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
from service.sync_queue import (
    RENEW_SECONDS,
    ClaimLostError,
    claim_run,
    fail_hopeless_runs,
    fail_run,
    hold_claim,
    release_run,
    renew_claim,
    request_due_syncs,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from service.database import Database
    from service.settings import Settings
    from service.sync_queue import Claim

log = structlog.stdlib.get_logger()

# How often a process looks for runs that others asked for, or had and lost.
POLL_SECONDS: Final = 2.0

# How often it looks whether one is due, which is more work.
DUE_SECONDS: Final = 10.0

FAULT: Final = "Something went wrong on our side; the service's log says what."


class SyncWorker:
    """Does the runs that are to be done, several at a time, as long as it runs."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
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
        """Begin no more runs; those under way go on."""
        self._is_stopping = True

    async def run(self) -> None:
        """Do runs until this is cancelled; what is then under way is given back."""
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)
                self._woken.clear()
                try:
                    await self._look()
                except Exception:
                    log.exception("sync_worker_fault")  # and look again, after a while
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _look(self) -> None:
        try:
            await self._request_due()
            while not self._is_stopping and len(self._running) < self._settings.sync_concurrency:
                claim = await claim_run(self._database)
                if claim is None:
                    break
                task = asyncio.create_task(self._do(claim))
                self._running.add(task)
                task.add_done_callback(self._finish)
        except (DatabaseUnavailable, asyncpg.PostgresError) as error:
            # Also where the schema is not there yet, or the server is a standby. Health has told
            # what is wrong with the database; here once is enough.
            if not self._is_database_away:
                log.warning("sync_waits_for_database", error=repr(error))
            self._is_database_away = True
        else:
            self._is_database_away = False

    async def _request_due(self) -> None:
        now = time.monotonic()
        if self._is_stopping or now < self._due_at:
            return
        self._due_at = now + DUE_SECONDS
        await fail_hopeless_runs(self._database)
        if self._settings.sync_every_minutes:
            await request_due_syncs(self._database, self._settings.sync_every_minutes)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.wake()

    async def _do(self, claim: Claim) -> None:
        # Here, not above: a service that never syncs is smaller and starts faster without.
        from service.sync import Progress, sync

        started = time.perf_counter()
        progress = Progress()
        work = asyncio.create_task(sync(self._database, claim, self._settings, progress))
        renewals = asyncio.create_task(self._renew(claim, progress))
        fields: dict[str, Any] = {"project_doc_id": str(claim.project_doc_id)}
        try:
            await asyncio.wait({work, renewals}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                outcome = work.result()
            else:
                renewals.result()
                raise AssertionError("renewing a claim does not end by itself")
        except ClaimLostError:
            log.info("sync_left_to_others", **fields)
        except DatabaseUnavailable as error:
            # The claim runs out, and then the run is done again.
            log.warning("sync_interrupted", **fields, reason=error.reason)
        except asyncio.CancelledError:
            await _stop(work)
            await self._release(claim)
            raise
        except Exception:
            log.exception("sync_fault", **fields)
            await self._fail(claim)
        else:
            duration_ms = round((time.perf_counter() - started) * 1000)
            log.info("sync_finished", **fields, **outcome, duration_ms=duration_ms)
        finally:
            await _stop(work)
            await _stop(renewals)

    async def _renew(self, claim: Claim, progress: Any) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(DatabaseUnavailable):  # tried again soon; the claim lasts for a while
                await renew_claim(self._database, claim, progress.files_total, progress.files_done)

    async def _release(self, claim: Claim) -> None:
        with suppress(DatabaseUnavailable):  # the claim runs out by itself
            await release_run(self._database, claim)

    async def _fail(self, claim: Claim) -> None:
        try:
            async with self._database.transaction() as transaction:
                await hold_claim(transaction, claim)
                await fail_run(transaction, claim, FAULT, 0)
        except (ClaimLostError, DatabaseUnavailable):
            log.warning("sync_fault_not_noted", project_doc_id=str(claim.project_doc_id))


async def _stop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # told before, or of no interest any more


@asynccontextmanager
async def syncing(database: Database, settings: Settings) -> AsyncGenerator[SyncWorker]:
    """Do syncs for as long as the block runs."""
    worker = SyncWorker(database, settings)
    # In a context of its own: its lines in the log belong to no request.
    task = asyncio.create_task(worker.run(), context=Context())
    try:
        yield worker
    finally:
        await _stop(task)
