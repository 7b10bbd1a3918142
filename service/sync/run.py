"""One run of a source, from its claim to its result: begin here.

source_pass.py does the work.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from service.git.errors import GitError, GitMachineError
from service.git.folder import remove_leftovers
from service.git.repository import GitRepository
from service.sync.messages import Outcome, describe_time_limit
from service.sync.progress import SourceChangedError, finish_writing
from service.sync.results import fail_run
from service.sync.source_pass import SourcePass

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from service.database.database import Database
    from service.sync.claims import Claim
    from service.sync.messages import RunOptions
    from service.sync.progress import Progress

# A run reads a source that is changed meanwhile again, and fails after so many passes.
MAX_PASSES: Final = 3


async def sync_source(
    database: Database, claim: Claim, options: RunOptions, progress: Progress
) -> Outcome:
    """Do a claimed run, record its result, and return it.

    Raises ClaimLostError if another worker has the run or the source was deleted, and
    DatabaseUnavailable. In both cases nothing is written, and the run stays unfinished, unless only
    the response to the commit was lost.
    """
    fetched = 0
    refused: Mapping[str, int] = {}
    try:
        async with _time_limit(options.seconds):
            with suppress(OSError):  # if there is no temporary directory, GitRepository reports it
                await asyncio.to_thread(remove_leftovers)
            async with GitRepository(options.git) as repository:
                source_pass = SourcePass(database, claim, repository, progress, options)
                try:
                    for _ in range(MAX_PASSES):
                        with suppress(SourceChangedError):
                            fields = await source_pass.sync()
                            return Outcome(fields, repository.refused_tokens)
                    raise GitError("The source was changed again and again while it was synced.")
                finally:
                    fetched = repository.fetched_bytes()
                    refused = repository.refused_tokens
    except GitError as error:
        async with progress.writing(database, claim) as transaction:
            await finish_writing(transaction, claim)
            awaited = await fail_run(transaction, claim, str(error), fetched)
        fields = {"status": "failed", "error": str(error), **awaited}
        return Outcome(fields, refused, isinstance(error, GitMachineError))


@asynccontextmanager
async def _time_limit(seconds: float) -> AsyncGenerator[None]:
    """Cancel the block after so many seconds, and raise GitError then."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise GitError(describe_time_limit(seconds)) from None
        raise
