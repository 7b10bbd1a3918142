"""How far a run is, and the transaction that ends it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from service.sync.queue import hold_claim

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from service.database import Connection, Database
    from service.sync.queue import Claim

# Where a source is: its URL, branch and folder.
Place: TypeAlias = tuple[str, str | None, str | None]


class SourceChangedError(Exception):
    """The source was pointed elsewhere while it was synced."""


class Progress:
    """How far a sync is. Written in its thread, read where the claim is renewed."""

    def __init__(self, claimed_at: float) -> None:
        self.files_total: int | None = None
        self.files_done = 0
        # By time.monotonic(), when it was last asked for successfully.
        self.claimed_at = claimed_at
        # Who renews the claim and who finishes the run change one row, so the one waits for the
        # other here and not in PostgreSQL, where both have a deadline.
        self.turn = asyncio.Lock()
        self.is_finishing = False
        self.is_finished = False

    @asynccontextmanager
    async def finishing(
        self, database: Database, claim: Claim, place: Place | None = None
    ) -> AsyncGenerator[Connection]:
        """Hold a transaction in which the run is ours, and its source as it was, to finish it.

        Raises ClaimLostError and SourceChangedError.
        """
        async with self.turn:
            self.is_finishing = True
            try:
                async with database.transaction() as transaction:
                    row = await hold_claim(transaction, claim)
                    if place and tuple(row) != place:
                        raise SourceChangedError
                    yield transaction
                self.is_finished = True
            finally:
                self.is_finishing = False
