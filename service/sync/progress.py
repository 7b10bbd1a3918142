"""The progress of a run, and the transaction that ends the run."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from service.sync.claims import hold_claim

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from service.database import Connection, Database
    from service.sync.claims import Claim

# A source's URL, branch and folder.
SourceLocation: TypeAlias = tuple[str, str | None, str | None]


class SourceMovedError(Exception):
    """The source got another URL, branch or folder while a run read it."""


class Progress:
    """The progress of a run, and of its claim.

    The thread that reads files counts them; the task that renews the claim stores the counts.
    """

    def __init__(self, claimed_at: float) -> None:
        self.files_total: int | None = None
        self.files_done = 0
        # The time.monotonic() at which the last successful claim or renewal was sent.
        self.claimed_at = claimed_at
        # Renewing the claim and ending the run update the same row. They wait for each other here,
        # because statements that wait in PostgreSQL run into their deadlines.
        self.lock = asyncio.Lock()
        self.is_finishing = False
        self.is_finished = False

    @asynccontextmanager
    async def finishing(
        self, database: Database, claim: Claim, location: SourceLocation | None = None
    ) -> AsyncGenerator[Connection]:
        """Hold the claim in a transaction that ends the run; commit it at the end of the block.

        Raises ClaimLostError, and SourceMovedError if the source is not at `location` any more.
        """
        async with self.lock:
            self.is_finishing = True
            try:
                async with database.transaction() as transaction:
                    row = await hold_claim(transaction, claim)
                    if location and tuple(row) != location:
                        raise SourceMovedError
                    yield transaction
                self.is_finished = True
            finally:
                self.is_finishing = False
