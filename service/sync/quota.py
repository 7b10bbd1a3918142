"""The quota on a project's documents, which a run may not exceed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.git.errors import GitError
from service.sync.advisory_locks import quota_lock

if TYPE_CHECKING:
    from uuid import UUID

    from service.database.database import Connection

TOO_MANY_DOCUMENTS: Final = (
    "The project would have {count:,} documents, and {max_documents:,} are the most that a project "
    "may have: name a folder, remove sources, or raise MAX_DOCUMENTS_PER_PROJECT."
)


async def refuse_excess_documents(
    transaction: Connection, source_id: UUID, max_documents: int
) -> None:
    """Raise GitError if the project of the source has more than `max_documents` now.

    A run that added documents calls this last: until its transaction ends, no other run of the
    project passes.
    """
    await transaction.execute(
        f"""
        select pg_advisory_xact_lock({quota_lock("documents", "project_id")})
        from project_doc
        where id = $1
        """,
        source_id,
    )
    # A statement of its own: one that waits for the lock does not see what was added meanwhile.
    count = await transaction.fetch_value(
        """
        select count(*)
        from project_doc as wanted
        join project_doc using (project_id)
        join document on document.project_doc_id = project_doc.id
        where wanted.id = $1
        """,
        source_id,
    )
    if count > max_documents:
        raise GitError(TOO_MANY_DOCUMENTS.format(count=count, max_documents=max_documents))
