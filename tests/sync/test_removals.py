"""What deleted sources leave behind: hidden at once, removed later, by one copy at a time."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from structlog.testing import capture_logs

from service.database.database import open_database
from service.sync import removals, rows
from service.sync.advisory_locks import VOCABULARY_LOCK
from service.sync.removals import check_words, remove_parts, removing
from tests.support.hub import running_hub
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable
    from pathlib import Path

    from service.database.database import Database
    from tests.support.copies import Copies
    from tests.support.hub import Hub

TABLES = ("document_part", "document_heading", "removed_source", "vocabulary_check")
PARTS = "select project_doc_id::text, count(*) from document_part group by 1"
WORDS = "select word from vocabulary order by word"


def count_rows(database: str) -> dict[str, int]:
    return {table: run_sql(database, f"select count(*) from {table}")[0][0] for table in TABLES}


def create_source(database: str, documents: int, words: Iterable[str] = ()) -> str:
    """Return the id of a source with so many documents, as a run writes them."""
    [(source,)] = run_sql(
        database,
        """
        with new as (
            insert into project (name) values (gen_random_uuid()::text) returning id
        )
        insert into project_doc (project_id, name, github_url)
        select id, 'Docs', 'https://git.example/a' from new
        returning id::text
        """,
    )
    vector = " ".join(f"''{word}''" for word in words)
    run_sql(
        database,
        f"""
        with new as (
            insert into document
                (project_doc_id, file_path, file_type, file_size, blob_id, content, doc_metadata)
            select '{source}', number || '.md', 'md', 1, repeat('0', 40), '', '{{}}'
            from generate_series(1, {documents}) as each (number)
            returning id
        ), part as (
            insert into document_part
                (document_id, number, is_only, project_doc_id, kind, vector, tokens, body, headings,
                 ends, pairs, digest)
            select id, number, false, '{source}', 'other', '{vector}', '', '', '{{}}', '{{}}',
                   decode(repeat('00', 8), 'hex'), ''
            from new, generate_series(0, 1) as each (number)
        )
        insert into document_heading (document_id, number, project_id, text)
        select new.id, 0, project_id, 'title ' from new, project_doc
        where project_doc.id = '{source}'
        """,
        f"""
        insert into vocabulary
        select word from unnest(tsvector_to_array('{vector}'::tsvector)) as each (word)
        on conflict do nothing
        """,
    )
    return source


def delete_source(database: str, source: str) -> None:
    run_sql(database, f"delete from project_doc where id = '{source}'")


def run_all(url: str, work: Callable[[Database], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with open_database(url, 2) as database:
            return await work(database)

    return asyncio.run(run())


async def remove_all(database: Database) -> None:
    while await remove_parts(database) or await check_words(database):
        pass


@contextmanager
def holding(url: str, statement: str) -> Generator[None]:
    """Hold the locks of a statement during the block."""
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())
        yield


def search(hub: Hub, query: str) -> dict[str, Any]:
    response = hub.client.get("/api/search", params={"q": query})
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def never_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removals, "POLL_SECONDS", 3_600.0)


@pytest.mark.usefixtures("never_polling")
@pytest.mark.parametrize("deleted", ["project", "source"])
def test_what_is_deleted_is_not_found_from_then_on_and_removed_later(
    hub: Hub, deleted: str
) -> None:
    remote = hub.server.create()
    remote.commit({f"{n}.md": f"# Refund policy {n}\n\nkangaroo\n".encode() for n in range(3)})
    other = hub.server.create("team/other")
    other.commit({"a.md": b"# Refund policy 1\n\nwombat\n"})
    project, kept = hub.create_project("Deleted"), hub.create_project("Kept")
    source = hub.create_source(project, remote)
    hub.sync(source)
    hub.sync(hub.create_source(kept, other))
    assert search(hub, "refund policy")["total"]["value"] == 4
    with holding(hub.database, "lock table document_part in share row exclusive mode"):
        path = f"/api/projects/{project}" if deleted == "project" else f"/api/project-docs/{source}"
        # The deletion does not wait for the table, whose parts are left.
        assert hub.client.delete(path).status_code == 200
        assert count_rows(hub.database)["document_part"] == 4
        found = search(hub, "refund policy")
        assert [each["document"]["path"] for each in found["results"]] == ["a.md"]
        assert found["total"] == {"value": 1, "is_exact": True}
        assert [each["name"] for each in found["facets"]["project"]] == ["Kept"]
        assert [each["count"] for each in found["facets"]["kind"]] == [1]
        assert search(hub, "kangaroo")["results"] == []
        assert search(hub, "kangaro")["fuzzy"] is None
        suggested = hub.client.get("/api/search/suggest", params={"q": "refund pol"}).json()
        assert "Refund policy 1" in str(suggested)
        assert "Refund policy 2" not in str(suggested)
    # At once, not at the next poll.
    eventually(
        lambda: (
            count_rows(hub.database)
            == dict.fromkeys(TABLES, 0) | {"document_part": 1, "document_heading": 1}
        ),
        seconds=10,
    )
    assert ("wombat",) in run_sql(hub.database, WORDS)
    assert ("kangaroo",) not in run_sql(hub.database, WORDS)


def test_the_parts_of_documents_of_a_source_that_stays_go_with_them(database: str) -> None:
    first, second = create_source(database, 3), create_source(database, 3)
    run_sql(
        database, f"delete from document where project_doc_id = '{first}' and file_path < '3.md'"
    )
    assert dict(run_sql(database, PARTS)) == {first: 2, second: 6}
    assert count_rows(database)["document_heading"] == 4
    assert run_sql(database, "select from removed_source") == []


def test_a_deletion_that_is_undone_leaves_all_parts(database: str) -> None:
    source = create_source(database, 3)
    with psycopg.connect(database) as connection:
        connection.execute("delete from project")
        connection.rollback()
    run_all(database, remove_all)
    assert dict(run_sql(database, PARTS)) == {source: 6}


def test_a_crash_between_any_two_steps_is_made_good(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "PARTS_AT_ONCE", 3)
    monkeypatch.setattr(removals, "WORDS_AT_ONCE", 2)
    kept = create_source(database, 1, ["kept", "both", "most"])
    deleted = [create_source(database, 3, ["both", f"word{n}"]) for n in "ab"]
    run_sql(database, "insert into vocabulary values ('aaa'), ('zzz')")
    for source in deleted:
        delete_source(database, source)
    steps = 0
    # Each transaction on a connection of its own, as if the copy ended after it.
    while run_all(database, remove_parts) or run_all(database, check_words):
        steps += 1
    # Of each source 6 parts in threes, and then none; 7 words in twos, and then one.
    assert steps == 2 * 3 + 4
    assert dict(run_sql(database, PARTS)) == {kept: 2}
    assert run_sql(database, WORDS) == [("both",), ("kept",), ("most",)]
    assert count_rows(database) == dict.fromkeys(TABLES, 0) | {
        "document_part": 2,
        "document_heading": 1,
    }


def test_copies_that_are_killed_leave_the_work_to_others(copies: Copies) -> None:
    kept = create_source(copies.database, 10, ["kept"])
    first, second = copies.start(), copies.start()
    for number in range(3):
        source = create_source(copies.database, 10_000, [f"word{number}"])
        delete_source(copies.database, source)
    before = count_rows(copies.database)["document_part"]
    eventually(lambda: count_rows(copies.database)["document_part"] < before, seconds=15)
    first.process.kill()
    left = {"document_part": 20, "document_heading": 10}
    expected = dict.fromkeys(TABLES, 0) | left
    eventually(lambda: count_rows(copies.database) == expected, seconds=60)
    assert dict(run_sql(copies.database, PARTS)) == {kept: 20}
    assert run_sql(copies.database, WORDS) == [("kept",)]
    assert "removal_fault" not in second.log.read_text()


def test_one_copy_at_a_time_works_on_a_source(database: str) -> None:
    delete_source(database, create_source(database, 3))
    with holding(database, "select from removed_source for update"):
        assert not run_all(database, remove_parts)
        assert count_rows(database)["document_part"] == 6
    assert run_all(database, remove_parts)
    assert count_rows(database)["document_part"] == 0
    with holding(database, "select from vocabulary_check for update"):
        assert not run_all(database, check_words)
    assert run_all(database, check_words)


def test_no_word_is_removed_while_a_run_may_have_parts_with_it(database: str) -> None:
    run_sql(
        database,
        "insert into vocabulary values ('new')",
        "insert into vocabulary_check default values",
    )
    with holding(database, f"select pg_advisory_xact_lock_shared({VOCABULARY_LOCK})"):
        assert not run_all(database, check_words)
        assert run_sql(database, WORDS) == [("new",)]
    assert run_all(database, check_words)
    assert run_sql(database, WORDS) == []


def test_a_check_that_has_begun_looks_again_at_the_words_before(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "WORDS_AT_ONCE", 1)
    source = create_source(database, 1, ["aaaa", "bbbb"])
    other = create_source(database, 1, ["cccc", "dddd"])
    delete_source(database, other)
    run_all(database, remove_parts)
    for _ in range(2):  # aaaa and bbbb are still in use
        run_all(database, check_words)
    delete_source(database, source)
    run_all(database, remove_parts)
    steps = 0
    while run_all(database, check_words):
        steps += 1
    assert run_sql(database, WORDS) == []
    # cccc and dddd, and no more; from the beginning: aaaa and bbbb, and no more.
    assert steps == 6


def test_a_full_vocabulary_gets_no_more_words_but_is_checked(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_source(database, 1, ["used"])
    run_sql(
        database,
        "insert into vocabulary select 'old' || chr(96 + n) from generate_series(1, 9) as each (n)",
        "analyze vocabulary",
    )

    async def write(database: Database) -> None:
        async with database.transaction() as transaction:
            await rows.write_words(transaction, {"newly", "used"})

    monkeypatch.setattr(rows, "MAX_VOCABULARY", 9)
    run_all(database, write)
    assert len(run_sql(database, WORDS)) == 10
    run_all(database, remove_all)
    assert run_sql(database, WORDS) == [("used",)]
    run_sql(database, "analyze vocabulary")
    run_all(database, write)
    assert run_sql(database, WORDS) == [("newly",), ("used",)]


def test_a_remover_waits_for_the_database_and_goes_on(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "POLL_SECONDS", 0.05)
    delete_source(database, create_source(database, 1))
    url = database
    run_sql(url, "alter table document_part rename to away")

    async def remove(database: Database) -> None:
        async with removing(database):
            await asyncio.sleep(0.5)
            run_sql(url, "alter table away rename to document_part")
            await asyncio.to_thread(eventually, lambda: sum(count_rows(url).values()) == 0)

    with capture_logs() as logs:
        run_all(url, remove)
    assert [each["event"] for each in logs] == ["removal_waits_for_database"]


def test_other_copies_deletions_are_found_at_the_next_poll(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "POLL_SECONDS", 0.1)
    with running_hub(database, tmp_path):
        delete_source(database, create_source(database, 3, ["word"]))
        eventually(lambda: sum(count_rows(database).values()) == 0)
        assert run_sql(database, WORDS) == []
