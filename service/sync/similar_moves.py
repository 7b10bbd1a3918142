"""Which documents keep their ids because a removed file and a new one are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from service.git.errors import GitError
from service.sync.changes import UnmatchedFile, choose_similar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from service.database.database import Database
    from service.git.repository import GitRepository
    from service.sync.changes import Moves
    from service.sync.files import Contents
    from service.sync.plan import StoredFile

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


async def find_similar_moves(
    database: Database,
    repository: GitRepository,
    source_id: UUID,
    shown: Mapping[str, str],
    stored: Mapping[str, StoredFile],
    moves: Moves,
    contents: Contents,
) -> Moves:
    """Return the moves of documents whose contents changed as well."""
    moved = set(moves.values())
    old, new = choose_similar(
        (
            UnmatchedFile(path, file.blob_id, file.size)
            for path, file in stored.items()
            if path not in shown and path not in moved
        ),
        (
            UnmatchedFile(path, blob_id, contents.fetched_size(blob_id))
            for path, blob_id in shown.items()
            if path not in stored and path not in moves
        ),
    )
    if not old or not new:
        return {}
    await contents.copy_stored(database, source_id, {file.path: stored[file.path] for file in old})
    try:
        return await repository.find_renames(
            [(file.path, file.blob_id) for file in old],
            [(file.path, file.blob_id) for file in new],
            contents.read,
        )
    except GitError as error:
        # Such as a lack of memory. The run would fail on every try; it only loses ids.
        log.warning("renames_not_found", project_doc_id=str(source_id), error=str(error))
        return {}
