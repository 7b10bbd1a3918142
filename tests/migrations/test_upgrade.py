"""Upgrades from every landed schema, with rows in it.

`landed/` has a file for each migration that changes the schema: rows as that schema allows them.
They are inserted on the rows of the migrations before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from service.migrations.files import read_migration_files
from service.migrations.run import read_status, rollback
from tests.support.hub import counts, running_hub
from tests.support.migrations import NAMES, apply_all
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    import httpx

LANDED = Path(__file__).parent / "landed"
UPGRADES = NAMES[1:]

PROJECT = "10000000-0000-4000-8000-000000000001"
OTHER_PROJECT = "10000000-0000-4000-8000-000000000002"
SOURCE = "20000000-0000-4000-8000-000000000001"
OTHER_SOURCE = "20000000-0000-4000-8000-000000000002"
DOCUMENT = "30000000-0000-4000-8000-00000000000{}"
RUN = "40000000-0000-4000-8000-00000000000{}"

# By the documents' last digits.
CONTENTS = {
    1: b"---\nversion: 1.10\n---\n# Title\n\n## Why\n",
    2: b"\xef\xbb\xbfa\r\nb\r\n",
    3: b"",
}
PATHS = {1: "docs/prd.md", 2: "docs/bom.txt", 3: "docs/empty.yaml"}


def fill(database: str, folder: Path, last: str) -> None:
    """Apply the migrations up to `last`, and insert the rows of each."""
    folder.mkdir()
    for file in read_migration_files():
        if file.id <= last:
            for path in (file.path, file.rollback_path):
                (folder / path.name).write_bytes(path.read_bytes())
    apply_all(database, folder)
    for name in UPGRADES:
        if name <= last:
            run_sql(database, (LANDED / f"{name}.sql").read_text())


def test_every_migration_has_rows_to_upgrade_from() -> None:
    assert [path.stem for path in sorted(LANDED.iterdir())] == UPGRADES


@pytest.mark.parametrize("landed", UPGRADES)
def test_an_upgrade_keeps_every_row_and_serves_it(
    landed: str, empty_database: str, tmp_path: Path
) -> None:
    fill(empty_database, tmp_path / "sql", landed)
    before = read_rows(empty_database)
    apply_all(empty_database, tmp_path / "sql")  # nothing: the schema is current for its files
    assert read_status(empty_database).pending == [name for name in NAMES if name > landed]
    upgrade(empty_database)
    after = read_rows(empty_database)
    assert after.keys() >= before.keys()
    for table, rows in before.items():
        assert [row | kept for row, kept in zip(after[table], rows, strict=True)] == after[table]
    with running_hub(empty_database, tmp_path, sync_concurrency=0) as hub:
        check_responses(hub.client)
    # Back as well: the rows of the older schema are what they were.
    while read_status(empty_database).applied[-1] != landed:
        rollback(empty_database, print, confirm=None)
    assert read_rows(empty_database) == before


@pytest.mark.parametrize("landed", UPGRADES)
def test_after_an_upgrade_the_runs_under_way_end_and_ids_stay(
    landed: str, empty_database: str, tmp_path: Path
) -> None:
    fill(empty_database, tmp_path / "sql", landed)
    upgrade(empty_database)
    with running_hub(empty_database, tmp_path, sync_concurrency=0) as hub:
        remote = hub.server.create("team/docs")
        remote.commit({PATHS[number]: content for number, content in CONTENTS.items()})
        hub.server.create("team/other").commit({"other.md": b"# Other\n"})
    with running_hub(empty_database, tmp_path) as hub:
        for source, number in ((SOURCE, 3), (OTHER_SOURCE, 4)):
            run = hub.wait(f"/api/project-docs/{source}/syncs/{RUN.format(number)}")
            assert run["status"] == "completed", run["error"]
        latest = hub.client.get(f"/api/project-docs/{SOURCE}/syncs").json()[0]
        run = hub.wait(f"/api/project-docs/{SOURCE}/syncs/{latest['id']}")
        assert counts(run) == (0, 0, 3, 0, 0)
        for number, content in CONTENTS.items():
            path = f"/api/documents/{DOCUMENT.format(number)}"
            assert hub.client.get(f"{path}/raw").content == content
            assert hub.client.get(path).json()["file_path"] == PATHS[number]
        # The new code reads documents again, also those that git has unchanged.
        found = hub.client.get(f"/api/documents/{DOCUMENT.format(1)}").json()
        assert found["doc_metadata"]["title"] == "Title"


def test_documents_are_found_after_a_rollback_and_another_upgrade(
    empty_database: str, tmp_path: Path
) -> None:
    upgrade(empty_database)
    with running_hub(empty_database, tmp_path) as hub:
        remote = hub.server.create("team/docs")
        remote.commit({"a.md": b"# Walnut\n"})
        source = hub.create_source(hub.create_project(), remote)
        assert hub.sync(source)["status"] == "completed"
        while read_status(empty_database).applied[-1] >= "0008":
            rollback(empty_database, print, confirm=None)
        upgrade(empty_database)
        assert hub.client.get("/api/search?q=walnut").json()["results"] == []
        assert counts(hub.sync(source)) == (0, 0, 1, 0, 0)
        [result] = hub.client.get("/api/search?q=walnut").json()["results"]
        assert result["document"]["path"] == "a.md"


def upgrade(database: str) -> None:
    apply_all(database, read_migration_files()[0].path.parent)
    assert read_status(database).pending == []


def read_rows(database: str) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table of the hub, by table and in the order of ids."""
    tables = """
        select table_name from information_schema.tables
        where table_schema = 'public' and table_name !~ '(yoyo|migration)' order by 1
    """
    return {
        table: [
            row for (row,) in run_sql(database, f'select to_jsonb(t) from "{table}" t order by 1')
        ]
        for (table,) in run_sql(database, tables)
    }


def check_responses(client: httpx.Client) -> None:
    assert client.get("/api/health").json()["status"] == "ok"
    projects = client.get("/api/projects").json()
    assert [project["id"] for project in projects] == [OTHER_PROJECT, PROJECT]
    assert projects[0]["name"] == "n" * 255
    assert projects[1]["name"] == 'Zahlungen „ä" 🙂'
    sources = client.get(f"/api/projects/{PROJECT}/docs").json()
    assert [source["id"] for source in sources] == [OTHER_SOURCE, SOURCE]
    assert sources[1]["last_commit"] == "a" * 40
    runs = client.get(f"/api/project-docs/{SOURCE}/syncs").json()
    assert [run["status"] for run in runs] == ["running", "failed", "completed"]
    completed = client.get(f"/api/project-docs/{SOURCE}/syncs/{RUN.format(1)}").json()
    assert counts(completed) == (3, 0, 0, 0, 1)
    assert completed["skipped_files"][0]["path"] == "docs/bad.md"
    assert client.get(f"/api/project-docs/{SOURCE}/sync-status").json()["status"] == "syncing"
    assert client.get(f"/api/projects/{PROJECT}/file-tree").status_code == 200
    for number, content in CONTENTS.items():
        path = f"/api/documents/{DOCUMENT.format(number)}"
        assert client.get(f"{path}/raw").content == content
        document = client.get(path).json()
        assert document["content"] == content.decode("utf-8-sig")
        assert document["file_path"] == PATHS[number]
