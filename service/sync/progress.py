"""The progress of a run, and the transaction that writes its documents and ends it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from service.sync.claims import ClaimLostError, begin_write, hold_claim

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
        self._is_locked = False
        # While a run is written, no other worker can claim it, even if renewing the claim fails.
        self.is_writing = False
        self.is_finished = False

    @asynccontextmanager
    async def writing(self, database: Database, claim: Claim) -> AsyncGenerator[Connection]:
        """Hold a transaction that writes a run's documents; commit it at the end of the block.

        The claim is renewed meanwhile. Before the block records the run's end, it calls `finish`.
        Raises ClaimLostError.
        """
        try:
            async with database.transaction() as transaction:
                try:
                    await begin_write(transaction, claim)
                    self.is_writing = True
                    yield transaction
                except asyncpg.ForeignKeyViolationError:
                    raise ClaimLostError from None  # the source was deleted meanwhile
            self.is_finished = self._is_locked
        finally:
            self.is_writing = False
            if self._is_locked:
                self._is_locked = False
                self.lock.release()

    async def finish(
        self, transaction: Connection, claim: Claim, location: SourceLocation | None = None
    ) -> None:
        """Lock the source and the run until the block of `writing` ends, which is to be soon.

        Raises ClaimLostError, and SourceMovedError if the source is not at `location` any more:
        the transaction is rolled back then.
        """
        await self.lock.acquire()
        self._is_locked = True
        row = await hold_claim(transaction, claim)
        if location and tuple(row) != location:
            raise SourceMovedError
