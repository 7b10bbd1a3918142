"""The syncer of a worker: it claims runs, does them, and renews their claims meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog

from service.database.errors import DatabaseUnavailable
from service.database.schema import is_behind
from service.git.errors import GitMachineError
from service.git.version import check_installed
from service.sync.claims import (
    CLAIM_SECONDS,
    DATABASE_AWAY,
    DATABASE_FULL,
    INTERRUPTED,
    MAX_ATTEMPTS,
    RENEW_SECONDS,
    ClaimLostError,
    ClaimWatch,
    begin_write,
    claim_run,
    hold_claim,
    release_run,
    renew_claim,
)
from service.sync.messages import run_options
from service.sync.process import ProcessEndedError, RunFailedError
from service.sync.processes import RunFaultError, RunProcesses
from service.sync.progress import Progress
from service.sync.queue import request_due_syncs
from service.sync.results import fail_run
from service.sync.slots import ServedProjects, find_full

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from service.database.database import Database
    from service.settings import Settings
    from service.sync.claims import Claim
    from service.telemetry.metrics import Metrics

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# How often a syncer looks for runs that other workers queued, or whose claims expired.
POLL_SECONDS: Final = 2.0

# How often a syncer queues the runs that SYNC_EVERY_MINUTES makes due, with a slower query.
DUE_SECONDS: Final = 10.0

# At a stop, the time to release the runs, then the time for tasks that wait for the database, and
# that for processes to end. Together they are below the 1.7 s that server/worker.py gives them.
STOP_SECONDS: Final = 1.1
END_SECONDS: Final = 0.2

DATABASE_ERRORS: Final = (DatabaseUnavailable, asyncpg.PostgresError)

PROCESS_KILLED: Final = (
    f"The process of the sync was killed {MAX_ATTEMPTS} times, as it is where memory runs out."
)
FAULT: Final = "Something went wrong on our side; the service's log says what."


@dataclass
class _Lease:
    """A claim, and the time.monotonic() at which its last renewal that succeeded was sent."""

    claim: Claim
    claimed_at: float


class Syncer:
    """Claims queued runs and does several at a time, until it is stopped."""

    def __init__(self, database: Database, settings: Settings, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._settings = settings
        self._processes = RunProcesses(run_options(settings, database.migrations))
        self._woken = asyncio.Event()
        self._running: dict[asyncio.Task[None], Claim] = {}
        self._watch = ClaimWatch()
        self._served = ServedProjects()
        self._is_stopping = False
        self._is_database_away = False
        self._due_at = 0.0

    def wake(self) -> None:
        """Look for queued runs now instead of at the next poll."""
        self._woken.set()

    def stop(self) -> None:
        """Claim no more runs; those in progress go on. A signal handler may call this."""
        self._is_stopping = True

    async def poll_queue(self) -> None:
        """Claim and start runs until the syncer is stopped."""
        is_git_checked = not self._settings.sync_concurrency
        checking: asyncio.Task[None] | None = None
        while not self._is_stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)
            self._woken.clear()
            # Not before the first wait: starting a process would delay the first responses.
            if not (is_git_checked or self._is_stopping):
                checking = asyncio.create_task(_check_git())
                is_git_checked = True
            try:
                await self._claim_runs()
            except Exception:
                log.exception("syncer_fault")  # the next poll tries again
        if checking:
            await _cancel(checking)

    async def release_runs(self) -> None:
        """Cancel the runs in progress, and put them back into the queue."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def end_processes(self) -> None:
        """Kill the processes of the runs."""
        await self._processes.close()

    async def _claim_runs(self) -> None:
        """Claim and start runs until none is queued or SYNC_CONCURRENCY of them are in progress."""
        try:
            await self._check_schema()
            await self._request_due_syncs()
            slots, hosts = self._settings.sync_concurrency, self._settings.git_hosts
            expired = await self._watch.find_expired(self._database) if slots else []
            while not self._is_stopping and len(self._running) < slots:
                running = ((run.host, run.project_id) for run in self._running.values())
                full = find_full(running, slots, len(hosts))
                sent_at = time.monotonic()
                claim = await claim_run(self._database, expired, full, self._served)
                self._is_database_away = False
                if claim is None:
                    break
                if self._is_stopping:
                    await release_run(self._database, claim, is_attempt=False)
                    break
                task = asyncio.create_task(self._run_claim(claim, sent_at))
                self._running[task] = claim
                self._served.add(claim.project_id)
                self._metrics.syncs_running.inc()
                task.add_done_callback(self._forget_task)
        except DATABASE_ERRORS as error:
            # Such as an outage, a missing schema, or a standby. Logged once: the health check
            # reports the state of the database.
            if not self._is_database_away:
                log.warning("sync_waits_for_database", error=repr(error.__cause__ or error))
            self._is_database_away = True

    async def _check_schema(self) -> None:
        """Raise DatabaseUnavailable if the schema lacks a migration: a run would only fetch."""
        if self._settings.sync_concurrency and await is_behind(
            self._database, self._database.migrations
        ):
            raise DatabaseUnavailable("schema_behind")

    async def _request_due_syncs(self) -> None:
        now = time.monotonic()
        if self._is_stopping or not self._settings.sync_every_minutes or now < self._due_at:
            return
        self._due_at = now + DUE_SECONDS
        await request_due_syncs(
            self._database, self._settings.sync_every_minutes, self._settings.sync_max_queued
        )
        self._is_database_away = False

    def _forget_task(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._metrics.syncs_running.dec()
        self.wake()

    async def _run_claim(self, claim: Claim, sent_at: float) -> None:
        """Do a claimed run to its end or release it; log the result."""
        started = time.perf_counter()
        # In the log the source has the name that the API gives it.
        fields: dict[str, Any] = {"project_doc_id": str(claim.source_id)}
        if claim.attempts > MAX_ATTEMPTS:
            await self._fail(claim, INTERRUPTED, fields)
            return
        progress = Progress()
        lease = _Lease(claim, sent_at)
        work = asyncio.create_task(self._processes.do_run(claim, progress))
        renewals = asyncio.create_task(self._keep_claim(lease, progress))
        is_released = False
        try:
            while not (work.done() or renewals.done() or _is_overdue(lease, progress)):
                await asyncio.wait(
                    {work, renewals},
                    timeout=RENEW_SECONDS / 4,
                    return_when=asyncio.FIRST_COMPLETED,
                )
        except asyncio.CancelledError:  # only release_runs() cancels, and awaits this task
            is_released = True
        await _cancel(work)
        await _cancel(renewals)
        try:
            # Work may end before its cancellation arrives: then its result counts.
            if work.cancelled() and not is_released:
                renewals.result()
            outcome = work.result()
        except ClaimLostError:
            log.info("sync_claim_lost", **fields)
        except DatabaseUnavailable as error:
            log.warning("sync_interrupted", **fields, reason=error.reason)
            if error.reason == "disk_full":  # which the next try would find, too
                await self._fail(claim, DATABASE_FULL, fields)
            elif error.reason == "schema_behind":
                # No run is claimed until `migrate` has run, however long that takes.
                await self._requeue(claim, is_attempt=False)
            else:
                await self._retry_or_fail(claim, DATABASE_AWAY, fields)
        except asyncio.CancelledError:
            if is_released:
                await self._requeue(claim, is_attempt=False)
            else:
                log.warning("sync_interrupted", **fields, reason="timeout")
                await self._retry_or_fail(claim, DATABASE_AWAY, fields)
        except ProcessEndedError as error:
            log.warning("sync_interrupted", **fields, reason="process_ended", code=error.code)
            await self._retry_or_fail(claim, PROCESS_KILLED, fields)
        except RunFailedError as error:
            await self._fail(claim, str(error), fields)
        except RunFaultError:
            await self._fail(claim, FAULT, None)
        except Exception:
            log.exception("sync_fault", **fields)
            await self._fail(claim, FAULT, None)
        else:
            seconds = time.perf_counter() - started
            for host, status in outcome.refused_tokens.items():
                self._metrics.count_token_refused(host)
                log.warning("git_token_refused", **fields, host=host, status=status)
            if outcome.is_service_fault:
                self._metrics.count_sync_given_up()
            else:
                self._metrics.observe_sync(outcome.fields["status"], seconds)
            level = logging.ERROR if outcome.is_service_fault else logging.INFO
            log.log(
                level,
                "sync_finished",
                **fields,
                **outcome.fields,
                duration_ms=round(seconds * 1000),
            )
            _warn_of_missing_push(fields, outcome.fields)

    async def _keep_claim(self, lease: _Lease, progress: Progress) -> None:
        """Renew the claim every RENEW_SECONDS, until cancelled; raises ClaimLostError."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            sent_at = time.monotonic()
            with suppress(*DATABASE_ERRORS):  # the claim outlasts several renewals
                await renew_claim(
                    self._database, lease.claim, progress.files_total, progress.files_done
                )
                lease.claimed_at = sent_at

    async def _retry_or_fail(self, claim: Claim, error: str, fields: Mapping[str, Any]) -> None:
        if claim.attempts < MAX_ATTEMPTS:
            await self._requeue(claim, is_attempt=True)
        else:
            await self._fail(claim, error, fields)

    async def _requeue(self, claim: Claim, *, is_attempt: bool) -> None:
        with suppress(*DATABASE_ERRORS):  # if this fails, the claim expires
            await release_run(self._database, claim, is_attempt=is_attempt)

    async def _fail(self, claim: Claim, error: str, fields: Mapping[str, Any] | None) -> None:
        """Record a failure; log it with `fields`. Without `fields` the caller has logged it."""
        try:
            async with self._database.transaction() as transaction:
                await begin_write(transaction, claim)
                await hold_claim(transaction, claim)
                awaited = await fail_run(transaction, claim, error, 0)
            self._metrics.count_sync_given_up()
        except (ClaimLostError, *DATABASE_ERRORS):
            log.warning("sync_failure_not_recorded", project_doc_id=str(claim.source_id))
        else:
            if fields is not None:
                log.info("sync_finished", **fields, status="failed", error=error, **awaited)
            _warn_of_missing_push({"project_doc_id": str(claim.source_id)}, awaited)


async def _check_git() -> None:
    """Log git_unusable if git is missing or too old. The documents are served all the same."""
    fault = None
    try:
        await check_installed()
    except GitMachineError as error:
        fault = str(error)
    if fault:
        log.error("git_unusable", error=fault)


def _warn_of_missing_push(fields: Mapping[str, Any], outcome: Mapping[str, Any]) -> None:
    if "awaited_commit" in outcome and outcome["looks_again_in_seconds"] is None:
        log.warning("push_not_found", **fields, commit=outcome["awaited_commit"])


def _is_overdue(lease: _Lease, progress: Progress) -> bool:
    """Return whether the claim may have expired, and another worker may have claimed the run."""
    return not progress.is_writing and time.monotonic() > lease.claimed_at + CLAIM_SECONDS


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # marks it as retrieved, so that asyncio does not log it


@asynccontextmanager
async def syncing(
    database: Database, settings: Settings, metrics: Metrics
) -> AsyncGenerator[Syncer]:
    """Run a syncer for as long as the block runs, and release its runs afterwards."""
    syncer = Syncer(database, settings, metrics)
    # In an empty context, because its log lines belong to no request.
    claiming = asyncio.create_task(syncer.poll_queue(), context=Context())
    try:
        yield syncer
    finally:
        syncer.stop()
        syncer.wake()
        # Not cancelled: a run that was being claimed would stay claimed until the claim expires.
        ending = {claiming, asyncio.create_task(syncer.release_runs())}
        _, late = await asyncio.wait(ending, timeout=STOP_SECONDS)
        if late:
            # The database does not respond. The claims will expire; closing the connections ends
            # all tasks that wait for the database.
            database.terminate()
            await asyncio.wait(late, timeout=END_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await syncer.end_processes()
