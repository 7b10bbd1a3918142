"""`python -m service sync`: register a repository and bring its documents in, from a terminal."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg

from service.database import open_database
from service.database_errors import DatabaseUnavailable
from service.metrics import Metrics
from service.repository_url import parse_branch, parse_folder, parse_repository_url
from service.sync_queue import request_sync
from service.sync_worker import syncing

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from service.database import Database, Row
    from service.settings import Settings

LOOK_SECONDS: Final = 0.1
CONNECTIONS: Final = 4


class SyncCommandError(Exception):
    """The sync could not be done; `str()` is one readable line."""


class Wanted(NamedTuple):
    """What is to be brought in, and where it belongs. Names are made up where there is none."""

    url: str
    folder: str | None
    branch: str | None
    project: str | None


def sync_repository(settings: Settings, wanted: Wanted, say: Callable[[str], None]) -> None:
    """Register what is wanted, unless it is, sync it, and say how far that is and how it ended.

    Raises SyncCommandError.
    """
    try:
        checked = Wanted(
            parse_repository_url(wanted.url, settings.git_hosts),
            parse_folder(wanted.folder or ""),
            parse_branch(wanted.branch) if wanted.branch else None,
            (wanted.project or "").strip() or None,
        )
    except ValueError as error:
        raise SyncCommandError(str(error)) from None
    try:
        asyncio.run(_sync(settings, checked, say))
    except DatabaseUnavailable as error:
        raise SyncCommandError(error.detail) from None
    except asyncpg.UndefinedTableError:
        raise SyncCommandError("the schema is behind the code: run migrate first") from None


async def _sync(settings: Settings, wanted: Wanted, say: Callable[[str], None]) -> None:
    metrics = Metrics()  # nobody asks for them here
    async with (
        open_database(
            settings.database_url,
            CONNECTIONS,
            metrics,
            use_prepared_statements=settings.database_prepared_statements,
        ) as database,
        # Whoever comes first does it: this process, or a service on the same database.
        syncing(
            database, replace(settings, sync_concurrency=1, sync_every_minutes=0), metrics
        ) as worker,
    ):
        name = wanted.url.removesuffix(".git").rpartition("/")[2]
        project_id = await _find_or_create_project(database, wanted.project or name)
        project_doc_id = await _find_or_create_project_doc(database, project_id, name, wanted)
        run_id = await request_sync(database, project_doc_id)
        worker.wake()
        run = await _wait(database, run_id)
        _tell(run, settings, project_id, say)


async def _find_or_create_project(database: Database, name: str) -> UUID:
    await database.execute(
        "insert into project (name) values ($1) on conflict (name) do nothing", name
    )
    return await database.fetch_value("select id from project where name = $1", name)


async def _find_or_create_project_doc(
    database: Database, project_id: UUID, name: str, wanted: Wanted
) -> UUID:
    found = await database.fetch_value(
        """
        select id
        from project_doc
        where project_id = $1 and github_url = $2
            and github_folder_path is not distinct from $3
            and branch is not distinct from $4
        order by created_at
        limit 1
        """,
        project_id,
        wanted.url,
        wanted.folder,
        wanted.branch,
    )
    if found is not None:
        return found
    return await database.fetch_value(
        """
        insert into project_doc (project_id, name, github_url, github_folder_path, branch)
        values ($1, $2, $3, $4, $5)
        returning id
        """,
        project_id,
        name,
        wanted.url,
        wanted.folder,
        wanted.branch,
    )


async def _wait(database: Database, run_id: UUID) -> Row:
    shown = ""
    is_terminal = sys.stderr.isatty()
    while True:
        run = await database.fetch_row(
            """
            select status, files_total, files_done, added, changed, unchanged, removed, skipped,
                   error, bytes, extract(epoch from finished_at - started_at)::float8 as seconds,
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
            raise SyncCommandError("the source was deleted while it was synced")
        total = run["files_total"]
        text = f"{run['files_done']} of {total} files" if total is not None else "asking git"
        if is_terminal and text != shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
            shown = text
        if run["status"] in ("completed", "failed"):
            if shown:
                sys.stderr.write("\r\x1b[K")
            return run
        await asyncio.sleep(LOOK_SECONDS)


def _tell(run: Row, settings: Settings, project_id: UUID, say: Callable[[str], None]) -> None:
    if run["status"] == "failed":
        raise SyncCommandError(run["error"])
    say(
        f"{run['files_done']} files synced in {run['seconds']:.1f} s, {run['bytes']:,} bytes "
        f"fetched: {run['added']} added, {run['changed']} changed, {run['unchanged']} unchanged, "
        f"{run['removed']} removed, {run['skipped']} skipped"
    )
    for path, reason in zip(run["skipped_paths"], run["skipped_reasons"], strict=True):
        say(f"skipped: {path!r} {reason}")
    say(f"http://{settings.host}:{settings.port}/api/projects/{project_id}/file-tree")
