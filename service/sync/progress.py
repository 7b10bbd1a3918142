"""The progress of a run, and the transaction that writes its documents and ends it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from service.sync.claims import ClaimLostError, begin_write, hold_claim

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from service.database.database import Connection, Database
    from service.sync.claims import Claim

# A source's URL, branch and folder, and the READER_VERSION of its documents.
SourceState: TypeAlias = tuple[str, str | None, str | None, int | None]


class SourceChangedError(Exception):
    """The source's row was changed while a run read the source, which is to be read again.

    It has another URL, branch or folder; or its documents are to be read again, as after the
    rollback and repetition of a migration, which empties tables that a run fills.
    """


class Progress:
    """How far a run is. `report` is called when its writing begins, and when that fails."""

    def __init__(self, report: Callable[[], None] = lambda: None) -> None:
        self.files_total: int | None = None
        self.files_done = 0
        # While a run is written, no other worker can claim it, even if renewing the claim fails.
        # Also after that, unless the writing failed.
        self.is_writing = False
        self._report = report

    def update(self, message: Mapping[str, Any]) -> None:
        """Take the values of the process of the run."""
        self.files_total = message["files_total"]
        self.files_done = message["files_done"]
        self.is_writing = message["is_writing"]

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
                    self._set_writing(is_writing=True)
                    yield transaction
                except asyncpg.ForeignKeyViolationError:
                    raise ClaimLostError from None  # the source was deleted meanwhile
        except BaseException:
            self._set_writing(is_writing=False)
            raise

    def _set_writing(self, *, is_writing: bool) -> None:
        self.is_writing = is_writing
        self._report()


async def finish_writing(
    transaction: Connection, claim: Claim, state: SourceState | None = None
) -> None:
    """Lock the source and the run until the block of `writing` ends, which is to be soon.

    Raises ClaimLostError, and SourceChangedError if the source is not in `state` any more: the
    transaction is rolled back then.
    """
    row = await hold_claim(transaction, claim)
    if state and tuple(row) != state:
        raise SourceChangedError
