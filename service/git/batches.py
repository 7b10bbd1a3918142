"""Fetches many contents in few requests, and finds those that the server cannot give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.git.errors import GitBrokenTransferError, GitError, GitMissingObjectError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

# Each id takes 41 bytes of the request.
BATCH_BLOBS: Final = 10_000
# One content that the server cannot give fails the whole request. Halving a batch of 10,000 finds
# it in 15 requests.
MAX_FAILED_REQUESTS: Final = 100


async def fetch_in_batches(
    ids: Sequence[str],
    fetch: Callable[[list[str]], Awaitable[None]],
    probe: Callable[[], Awaitable[None]],
) -> set[str]:
    """Fetch contents by their ids with `fetch`; return the ids that the server cannot give.

    A server that is failing altogether must not look like one that lacks files: `probe` raises
    GitError then. So does this function, if the server fails for more than MAX_FAILED_REQUESTS.
    """
    missing: set[str] = set()
    # Last in, first out: the halves of a failed batch come next.
    batches = [list(ids[start : start + BATCH_BLOBS]) for start in range(0, len(ids), BATCH_BLOBS)][
        ::-1
    ]
    failed = 0
    suspect: str | None = None
    while batches:
        batch = batches.pop()
        try:
            await fetch(batch)
        except (GitMissingObjectError, GitBrokenTransferError) as error:
            failed += 1
            if failed > MAX_FAILED_REQUESTS:
                raise GitError(
                    f"The server cannot give many of the files: {failed} requests for them failed."
                ) from error
            if isinstance(error, GitMissingObjectError):
                if error.object_id not in batch:
                    raise
                missing.add(error.object_id)
                batch.remove(error.object_id)
                batches += [batch] if batch else []
            elif len(batch) > 1:
                half = len(batch) // 2
                batches += [batch[half:], batch[:half]]
            elif suspect != batch[0]:  # a connection may break by chance
                suspect = batch[0]
                batches.append(batch)
            else:
                await probe()
                missing.add(batch[0])
    return missing
