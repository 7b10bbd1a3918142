"""`python -m service sync`: register a repository as a source, and sync it, from a terminal.

registration.py adds the source, and removes it where it cannot be synced.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from service.commands.errors import CommandError
from service.commands.failures import explaining_failures
from service.commands.registration import check_source, register, undo_registration
from service.database.database import open_database
from service.database.errors import DatabaseUnavailable
from service.database.schema import is_behind
from service.git.errors import GitMachineError
from service.git.version import check_installed
from service.migrations.files import read_migration_ids
from service.sync.queue import request_sync
from service.sync.syncer import syncing
from service.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from uuid import UUID

    from service.commands.registration import RegisteredSource, WantedSource
    from service.database.database import Database, Row
    from service.settings import Settings

# How often the command reads the run's progress.
PROGRESS_SECONDS: Final = 0.1
CONNECTIONS: Final = 4
SKIPPED_FILES_SHOWN: Final = 20

# The command itself prints the lesser events.
LOG_LEVEL: Final = "ERROR"


def sync_repository(
    settings: Settings, wanted: WantedSource, print_line: Callable[[str], None]
) -> None:
    """Register a source unless it exists, sync it, and print the result; raises CommandError.

    On a terminal, standard error shows the progress meanwhile.
    """
    checked = check_source(wanted, settings.git_hosts)
    try:
        asyncio.run(check_installed())
    except GitMachineError as error:
        raise CommandError(str(error)) from None
    with explaining_failures():
        asyncio.run(_cancel_on_signals(_register_and_sync(settings, checked, print_line)))


async def _cancel_on_signals(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; SIGTERM and SIGHUP cancel it, as Ctrl-C does, so that its run is released.

    By default these signals raise SystemExit in the middle of the event loop, which ends all tasks
    before they can clean up.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    received: list[int] = []

    def stop(sig: int) -> None:
        received.append(sig)
        task.cancel()

    before = {sig: signal.getsignal(sig) for sig in (signal.SIGTERM, signal.SIGHUP)}
    handled = {sig: handler for sig, handler in before.items() if handler is not signal.SIG_IGN}
    for sig in handled:
        loop.add_signal_handler(sig, stop, sig)
    try:
        await work
    except asyncio.CancelledError:
        if received:
            raise SystemExit(128 + received[0]) from None
        raise
    finally:
        for sig, handler in handled.items():
            loop.remove_signal_handler(sig)
            signal.signal(sig, handler)


async def _register_and_sync(
    settings: Settings, wanted: WantedSource, print_line: Callable[[str], None]
) -> None:
    async with (
        open_database(
            settings.database_url,
            CONNECTIONS,
            use_prepared_statements=settings.database_prepared_statements,
            migrations=read_migration_ids(),
        ) as database,
        # The run may also be claimed by a service on the same database.
        syncing(
            database,
            replace(settings, sync_concurrency=1, sync_every_minutes=0, log_level=LOG_LEVEL),
            Metrics(),  # which nobody reads
        ) as syncer,
    ):
        await _check_schema(database)
        async with database.transaction() as transaction:
            registered = await register(transaction, wanted, settings)
        run_id = await request_sync(database, registered.source_id, settings.sync_max_queued)
        syncer.wake()
        run = await _wait_for_run(database, run_id, f"asking {urlsplit(wanted.url).netloc}")
        if run["status"] == "failed":
            # A typing error in the command must not leave a source that can never be synced.
            await undo_registration(database, registered)
            raise CommandError(run["error"])
        _print_result(run, settings, registered, print_line)


async def _wait_for_run(database: Database, run_id: UUID, first_step: str) -> Row:
    """Return the run when it has ended; until then, show its progress on a terminal.

    `first_step` is shown until the number of documents is known.
    """
    shown = ""
    is_terminal = sys.stderr.isatty()
    try:
        while True:
            run = await _read_run(database, run_id)
            if run["status"] in ("completed", "failed"):
                return run
            if run["status"] == "queued":
                await _check_schema(database)
            text = _describe_progress(run, first_step)
            if is_terminal and text != shown:
                sys.stderr.write(f"\r\x1b[K{text}")
                sys.stderr.flush()
                shown = text
            await asyncio.sleep(PROGRESS_SECONDS)
    finally:
        if shown:  # clear the line for the output that follows
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


async def _check_schema(database: Database) -> None:
    """Raise DatabaseUnavailable where no syncer claims a run until `migrate` has run."""
    if await is_behind(database, database.migrations):
        raise DatabaseUnavailable("schema_behind")


async def _read_run(database: Database, run_id: UUID) -> Row:
    run = await database.fetch_row(
        """
        select id, status, files_total, files_done, added, changed,
               coalesce(moved, 0) as moved, unchanged, removed, skipped, error, warning, bytes,
               extract(epoch from finished_at - started_at)::float8 as seconds,
               array(select file ->> 'path' from jsonb_array_elements(skipped_files) as file)
                   as skipped_paths,
               array(select file ->> 'reason' from jsonb_array_elements(skipped_files) as file)
                   as skipped_reasons
        from sync_run
        where id = $1
        """,
        run_id,
    )
    if run is None:
        raise CommandError("the source was deleted while it was synced")
    return run


def _describe_progress(run: Row, first_step: str) -> str:
    if run["status"] == "queued":
        return "waiting for its turn"
    if run["files_total"] is None:
        return first_step
    return f"{run['files_done']:,} of {run['files_total']:,} documents"


def _print_result(
    run: Row,
    settings: Settings,
    registered: RegisteredSource,
    print_line: Callable[[str], None],
) -> None:
    documents = "1 document" if run["files_done"] == 1 else f"{run['files_done']:,} documents"
    print_line(
        f"{registered.project_name}: {documents} synced in {run['seconds']:.1f} s, "
        f"{run['bytes']:,} bytes fetched: {run['added']:,} added, {run['changed']:,} changed, "
        f"{run['moved']:,} moved, {run['unchanged']:,} unchanged, "
        f"{run['removed']:,} removed, {run['skipped']:,} skipped"
    )
    if run["warning"]:
        print_line(f"warning: {run['warning']}")
    files = list(zip(run["skipped_paths"], run["skipped_reasons"], strict=True))
    for path, reason in files[:SKIPPED_FILES_SHOWN]:
        print_line(f"skipped: {path!r} {reason}")
    if run["skipped"] > SKIPPED_FILES_SHOWN:
        print_line(
            f"skipped: {run['skipped'] - SKIPPED_FILES_SHOWN:,} more, all at "
            f"/api/project-docs/{registered.source_id}/syncs/{run['id']}"
        )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print_line(
        f"while the service runs: http://{host}:{settings.port}/projects/{registered.project_id}"
    )
