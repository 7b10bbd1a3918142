"""What deleted sources leave behind, removed in the background: parts, headings, words, stories.

A deletion only notes the source in the table `removed_source`, and no search finds its parts from
then on. Each copy of the service looks there; the row locks let one at a time do the work. It is
done in short transactions, each of which leaves the rows so that any copy can go on.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog

from service.database.errors import DatabaseUnavailable
from service.sync.advisory_locks import VOCABULARY_LOCK

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from uuid import UUID

    from service.database.database import Connection, Database

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# How often a copy looks for sources that others deleted.
POLL_SECONDS: Final = 5.0

# Parts or other rows that one transaction removes, and words that one transaction checks: about
# 20 ms each.
PARTS_AT_ONCE: Final = 1_000
ROWS_AT_ONCE: Final = 2_000
WORDS_AT_ONCE: Final = 200

# A pause after each transaction, as a multiple of what it took. Words wait for longer: where the
# vocabulary is full of words in use, each run that writes has all of them checked.
PAUSE_AFTER_PARTS: Final = 1
PAUSE_AFTER_WORDS: Final = 9

# The tables of migrations 0009 and 0010 with rows of a source.
BOARD_TABLES: Final = (
    "story",
    "epic",
    "problem",
    "source_progress",
    "activity",
    "work_history",
    "work_commit",
    "work_fact",
    "burnup_day",
)

# The time at a stop for a transaction to end.
STOP_SECONDS: Final = 0.1

DATABASE_ERRORS: Final = (DatabaseUnavailable, asyncpg.PostgresError)


async def remove_parts(database: Database) -> bool:
    """Remove some parts of a deleted source, with the headings of their documents, or other rows.

    Returns whether there was a deleted source that no other copy is at work on.
    """
    async with database.transaction() as transaction:
        source_id = await transaction.fetch_value(
            """
            select project_doc_id
            from removed_source
            order by project_doc_id
            limit 1
            for update skip locked
            """
        )
        if source_id is None:
            return False
        removed = await transaction.fetch_value(
            """
            with part as materialized (
                select document_id, number from document_part where project_doc_id = $1 limit $2
            ), deleted_heading as (
                delete from document_heading
                using part
                where document_heading.document_id = part.document_id
            ), deleted as (
                delete from document_part
                using part
                where (document_part.document_id, document_part.number)
                    = (part.document_id, part.number)
                returning 1
            )
            select count(*) from deleted
            """,
            source_id,
            PARTS_AT_ONCE,
        )
        if removed:
            # Words that a check under way has passed may be unused now: it goes on to the last
            # word, and then from the first one to where it is now.
            await transaction.execute(
                """
                insert into vocabulary_check as checked default values
                on conflict (is_only) do update
                set stop_word = checked.next_word, has_begun_again = false
                """
            )
        if removed < PARTS_AT_ONCE and not await _remove_board(transaction, source_id):
            await transaction.execute(
                "delete from removed_source where project_doc_id = $1", source_id
            )
    return True


async def _remove_board(transaction: Connection, source_id: UUID) -> bool:
    """Remove some rows of stories, epics and problems; return whether there may be more."""
    for table in BOARD_TABLES:
        removed = await transaction.fetch_value(
            f"""
            with removed as (
                delete from {table}
                where ctid = any(array(
                    select ctid from {table} where project_doc_id = $1 limit $2
                ))
                returning 1
            )
            select count(*) from removed
            """,
            source_id,
            ROWS_AT_ONCE,
        )
        if removed == ROWS_AT_ONCE:
            return True
    return False


async def check_words(database: Database) -> bool:
    """Check some words of the vocabulary, and remove those that no document has.

    Returns whether there were words to check that no other copy is at work on.
    """
    async with database.transaction() as transaction:
        # The index on words has the answer, however small the table is.
        await transaction.execute("set local enable_seqscan = off; set local jit = off")
        is_alone = await transaction.fetch_value(
            f"select pg_try_advisory_xact_lock({VOCABULARY_LOCK})"
        )
        row = await transaction.fetch_row(
            """
            select next_word, stop_word, has_begun_again
            from vocabulary_check
            for update skip locked
            """
        )
        if row is None or not is_alone:
            return False
        next_word, stop_word, has_begun_again = row
        words = await transaction.fetch(
            """
            select word, exists (
                select
                from (
                    -- The limit keeps this from becoming a join, which would read all parts.
                    select from document_part where vector @@ quote_literal(word)::tsquery limit 1
                ) as part
            ) as is_found
            from (
                select word
                from vocabulary
                where word > $1 and (word <= $2 or not $3)
                order by word
                limit $4
            ) as checked
            """,
            next_word,
            stop_word,
            has_begun_again,
            WORDS_AT_ONCE,
        )
        unused = [word for word, is_found in words if not is_found]
        await transaction.execute("delete from vocabulary where word = any($1::text[])", unused)
        if len(words) == WORDS_AT_ONCE:
            update = (max(word for word, _ in words), has_begun_again)
        elif stop_word and not has_begun_again:
            update = ("", True)
        else:
            await transaction.execute("delete from vocabulary_check")
            return True
        await transaction.execute(
            "update vocabulary_check set next_word = $1, has_begun_again = $2", *update
        )
    return True


class Remover:
    """Removes what deleted sources left, until it is stopped."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._woken = asyncio.Event()
        self._is_stopping = False
        self._is_database_away = False

    def wake(self) -> None:
        """Look for deleted sources now instead of at the next poll."""
        self._woken.set()

    def stop(self) -> None:
        """End after the transaction in progress."""
        self._is_stopping = True
        self.wake()

    async def poll(self) -> None:
        """Remove what is left, and look again, until the remover is stopped."""
        while not self._is_stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)
            self._woken.clear()
            try:
                await self._remove_all()
                self._is_database_away = False
            except DATABASE_ERRORS as error:
                # Such as an outage, a missing schema, or a standby. Logged once: the health check
                # reports the state of the database.
                if not self._is_database_away:
                    log.warning("removal_waits_for_database", error=repr(error.__cause__ or error))
                self._is_database_away = True
            except Exception:
                log.exception("removal_fault")  # the next poll tries again

    async def _remove_all(self) -> None:
        while not self._is_stopping and await self._database.fetch_value(
            "select exists (select from removed_source) or exists (select from vocabulary_check)"
        ):
            started = time.perf_counter()
            if await remove_parts(self._database):
                pause = PAUSE_AFTER_PARTS
            elif await check_words(self._database):
                pause = PAUSE_AFTER_WORDS
            else:
                break
            await asyncio.sleep(min(pause * (time.perf_counter() - started), POLL_SECONDS))


@asynccontextmanager
async def removing(database: Database) -> AsyncGenerator[Remover]:
    """Run a remover for as long as the block runs."""
    remover = Remover(database)
    # In an empty context, because its log lines belong to no request.
    polling = asyncio.create_task(remover.poll(), context=Context())
    try:
        yield remover
    finally:
        remover.stop()
        _, late = await asyncio.wait({polling}, timeout=STOP_SECONDS)
        if late:  # the database does not respond, or is slow: its transaction is undone
            polling.cancel()
            await asyncio.wait({polling}, timeout=STOP_SECONDS)
