"""Work in a thread for which a transaction waits."""

from __future__ import annotations

import time

import pytest

from service.database.database import open_database
from service.sync import in_thread
from service.sync.in_thread import run_in_thread

pytestmark = pytest.mark.anyio


async def test_a_transaction_outlives_work_that_takes_longer_than_it_may_be_idle(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_thread, "SECONDS_BETWEEN_STATEMENTS", 0.05)
    async with open_database(empty_database, 1) as database, database.transaction() as transaction:
        await transaction.execute("set local idle_in_transaction_session_timeout = '500ms'")

        def work() -> str:
            time.sleep(1)
            return "done"

        assert await run_in_thread(transaction, work) == "done"
        assert await transaction.fetch_value("select 1") == 1


async def test_an_error_of_the_work_is_raised(empty_database: str) -> None:
    def work() -> None:
        raise ZeroDivisionError

    async with open_database(empty_database, 1) as database, database.transaction() as transaction:
        with pytest.raises(ZeroDivisionError):
            await run_in_thread(transaction, work)
        assert await transaction.fetch_value("select 1") == 1
