"""Runs from the git server to the rows: what they store, and how they fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.git_server import FIRST_COMMIT, Link
from tests.support.hub import Hub, counts, row_versions, running_hub
from tests.support.postgres import run_sql
from tests.support.waiting import assert_in_time, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DOCUMENTS = "select file_path, content from document order by 1"


def test_a_run_stores_the_documents_of_the_folder(hub: Hub) -> None:
    remote = hub.server.create()
    commit = remote.commit(
        {
            "docs/prd.md": b"---\nstatus: draft\n---\n# Payments\n\n## Why\n\n## Why\n",
            "docs/qa/gate.yml": b"title: Gate\n",
            "docs/notes.TXT": b"notes",
            "docs/logo.png": b"\x89PNG",
            "docs/Makefile": b"all:\n",
            "docs2/other.md": b"# Not this\n",
            "README.md": b"# Not this either\n",
        }
    )
    project = hub.create_project()
    source = hub.create_source(project, remote, github_folder_path="docs/")
    assert hub.status(source)["status"] == "idle"
    response = hub.client.post(f"/api/project-docs/{source}/sync")
    assert response.status_code == 202
    assert response.json() == {
        "message": "Sync started",
        "project_doc_id": source,
        "run_id": response.headers["location"].rpartition("/")[2],
        "status": "processing",
    }
    run = hub.wait(response.headers["location"])
    assert run["id"] == response.json()["run_id"]
    assert run["status"] == "completed"
    assert counts(run) == (3, 0, 0, 0, 0)
    assert run["commit_id"] == commit
    assert 0 < run["bytes"] < 100_000
    assert run["duration_seconds"] > 0
    assert run["error"] is None
    assert set(hub.files(project)) == {"docs/prd.md", "docs/qa/gate.yml", "docs/notes.TXT"}
    document = hub.document(project, "docs/prd.md")
    assert document["project_doc_id"] == source
    assert document["content"].endswith("# Payments\n\n## Why\n\n## Why\n")
    assert document["doc_metadata"] == {
        "title": "Payments",
        "front_matter": {"status": "draft"},
        "body_offset": 22,
        "body_line": 4,
        "anchors": [],
        "headings": [
            {"level": 1, "text": "Payments", "anchor": "payments"},
            {"level": 2, "text": "Why", "anchor": "why"},
            {"level": 2, "text": "Why", "anchor": "why-1"},
        ],
    }
    found = hub.client.get(f"/api/project-docs/{source}").json()
    assert found["last_commit"] == commit
    committed = datetime.fromtimestamp(FIRST_COMMIT + 60, UTC)
    assert datetime.fromisoformat(found["last_github_commit_date"]) == committed
    status = hub.status(source)
    assert status == {
        "status": "completed",
        "message": "Sync completed successfully. 3 files synced.",
        "last_synced_at": status["last_synced_at"],
        "last_github_commit_date": found["last_github_commit_date"],
        "files_total": 3,
        "files_done": 3,
        "error": None,
    }
    assert datetime.fromisoformat(status["last_synced_at"]).utcoffset() is not None


def test_the_duration_of_a_run_includes_writing(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({f"{number}.md": b"# A\n" for number in range(2000)})
    hub.sync(hub.create_source(hub.create_project(), remote))
    # A document's time is when its transaction began.
    ((writing, noting),) = run_sql(
        hub.database,
        "select finished_at - (select max(created_at) from document), "
        "finished_at - (select last_synced_at from project_doc) from sync_run",
    )
    assert writing > timedelta(milliseconds=20)
    assert timedelta() < noting < writing / 2


def test_a_run_without_new_commits_sends_one_query_and_writes_no_document(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"# A\n", "link.md": Link(b"a.md")})
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    synced = hub.status(source)["last_synced_at"]
    before = row_versions(hub)
    hub.server.forget()
    run = hub.sync(source)
    assert counts(run) == (0, 0, 1, 0, 1)
    assert run["skipped_files"] == [{"path": "link.md", "reason": "is a symbolic link"}]
    assert run["bytes"] == 0
    assert {request.path.rpartition("/")[2] for request in hub.server.requests} == {
        "refs?service=git-upload-pack",
        "git-upload-pack",
    }
    assert len(hub.server.requests) == 2
    assert row_versions(hub) == before
    status = hub.status(source)
    assert status["message"] == "Sync completed successfully. 1 files synced."
    assert status["last_synced_at"] > synced


def test_a_commit_outside_the_folder_writes_no_document(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"docs/a.md": b"# A\n"})
    source = hub.create_source(hub.create_project(), remote, github_folder_path="docs")
    hub.sync(source)
    date = hub.status(source)["last_github_commit_date"]
    before = row_versions(hub)
    commit = remote.commit({"src/x.py": b"1"})
    assert counts(hub.sync(source)) == (0, 0, 1, 0, 0)
    assert row_versions(hub) == before
    assert hub.client.get(f"/api/project-docs/{source}").json()["last_commit"] == commit
    assert hub.status(source)["last_github_commit_date"] == date


def test_a_force_push_shows_the_new_state(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"1", "b.md": b"1"})
    remote.commit({"a.md": b"2"})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    commit = remote.commit({"c.md": b"3"}, start_over=True)
    run = hub.sync(source)
    assert counts(run) == (1, 0, 0, 2, 0)
    assert run["commit_id"] == commit
    assert set(hub.files(project)) == {"c.md"}


def delete_branch(hub: Hub, source: str) -> None:
    hub.client.put(f"/api/project-docs/{source}", json={"branch": "gone"})


def point_at_a_file(hub: Hub, source: str) -> None:
    hub.client.put(f"/api/project-docs/{source}", json={"github_folder_path": "a.md"})


def point_at_nothing(hub: Hub, source: str) -> None:
    hub.client.put(
        f"/api/project-docs/{source}", json={"github_url": "https://git.example/not/there"}
    )


def stop_answering(hub: Hub, _: str) -> None:
    hub.server.behaviour.status = 500


def hang_up(hub: Hub, _: str) -> None:
    hub.server.behaviour.hang_up_after = 100


def demand_a_password(hub: Hub, _: str) -> None:
    hub.server.behaviour.authorization = "Basic bm8="


def redirect(hub: Hub, _: str) -> None:
    hub.server.behaviour.redirect_to = "http://localhost:1"


@pytest.mark.parametrize(
    ("misbehave", "said"),
    [
        (delete_branch, "gone"),
        (point_at_a_file, "folder"),
        (point_at_nothing, "The repository was not found, or it is private"),
        (stop_answering, "500"),
        (hang_up, "The server broke off in the middle of its response."),
        (demand_a_password, "The repository was not found, or it is private"),
        (redirect, "moved"),
    ],
)
def test_a_failed_run_changes_no_document_and_has_a_reason(
    hub: Hub, misbehave: Callable[[Hub, str], None], said: str
) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"old"})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    synced = hub.status(source)["last_synced_at"]
    remote.commit({"a.md": b"new", "b.md": b"new"})
    misbehave(hub, source)
    run = hub.sync(source)
    assert run["status"] == "failed"
    assert said in run["error"]
    assert 10 < len(run["error"]) < 500
    assert "\n" not in run["error"]
    assert str(hub.server.port) not in run["error"]
    status = hub.status(source)
    assert status["status"] == "failed"
    assert status["message"] == f"Sync failed. {run['error']}"
    assert status["error"] == run["error"]
    assert status["last_synced_at"] == synced
    assert run_sql(hub.database, DOCUMENTS) == [("a.md", "old")]


def test_a_run_of_an_empty_repository_fails_until_the_first_commit(hub: Hub) -> None:
    remote = hub.server.create()
    source = hub.create_source(hub.create_project(), remote)
    assert "no commits" in hub.sync(source)["error"]
    remote.commit({"a.md": b"1"})
    assert counts(hub.sync(source)) == (1, 0, 0, 0, 0)


def test_a_run_takes_another_temporary_folder_where_the_wanted_one_went_away(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with running_hub(database, tmp_path) as hub:
        remote = hub.server.create()
        remote.commit({"a.md": b"1"})
        source = hub.create_source(hub.create_project(), remote)
        assert hub.sync(source)["status"] == "completed"
        eventually(lambda: not any(temporary.iterdir()))  # after the run
        temporary.rmdir()
        remote.commit({"a.md": b"2"})
        assert hub.sync(source)["status"] == "completed"


def test_a_run_of_more_than_sync_max_files_fails(database: str, tmp_path: Path) -> None:
    with running_hub(database, tmp_path, sync_max_files=2) as hub:
        remote = hub.server.create()
        remote.commit({f"{name}.md": b"x" for name in "abc"} | {"x.png": b""})
        source = hub.create_source(hub.create_project(), remote)
        run = hub.sync(source)
        assert run["error"].startswith("There are 3 documents, and 2 are the most")
        assert run["bytes"] > 0
        assert run_sql(database, DOCUMENTS) == []
        remote.commit({"a.md": None})
        assert counts(hub.sync(source)) == (2, 0, 0, 0, 0)


def test_a_run_of_a_stalled_server_fails_after_sync_timeout(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running_hub(database, tmp_path, sync_timeout=1.0) as hub:
        remote = hub.server.create()
        remote.commit({"a.md": b"x" * 100_000})
        hub.server.behaviour.stall_after = 100
        run = hub.sync(hub.create_source(hub.create_project(), remote))
        assert run["status"] == "failed"
        assert_in_time(run["duration_seconds"], 5)
        eventually(lambda: not list(tmp_path.glob("bmadflow-sync-*")))


def test_readers_see_the_old_state_or_the_new_one(hub: Hub) -> None:
    remote = hub.server.create()
    names = [f"{number}.md" for number in range(1500)]  # more than one statement writes
    remote.commit(dict.fromkeys(names, b"old"))
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    remote.commit(dict.fromkeys(names, b"new"))
    response = hub.client.post(f"/api/project-docs/{source}/sync")
    seen: set[str] = set()
    while hub.status(source)["status"] == "syncing":
        rows = run_sql(hub.database, "select content, count(*) from document group by 1")
        assert len(rows) == 1
        assert rows[0][1] == len(names)
        seen.add(rows[0][0])
    assert hub.wait(response.headers["location"])["changed"] == len(names)
    assert "old" in seen
    assert run_sql(hub.database, "select distinct content from document") == [("new",)]


def test_a_file_that_the_server_cannot_give_is_skipped_until_it_can(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"old a", "b.md": b"old b"})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    remote.commit({"a.md": b"new a", "b.md": b"new b", "c.md": b"new c", "d.md": b"new d"})
    lost = {name: remote.git("rev-parse", f"HEAD:{name}.md") for name in "ac"}
    for blob in lost.values():
        remote.lose(blob)
    before = hub.document(project, "a.md")["id"]
    for expected in ((1, 1, 1, 0, 2), (0, 0, 3, 0, 2)):
        run = hub.sync(source)
        assert run["status"] == "completed"
        assert counts(run) == expected
        reason = "cannot be fetched: the repository's server does not give its content"
        assert run["skipped_files"] == [
            {"path": "a.md", "reason": reason},
            {"path": "c.md", "reason": reason},
        ]
    # The old content is better than none, and links to the document's id stay good.
    assert run_sql(hub.database, DOCUMENTS) == [
        ("a.md", "old a"),
        ("b.md", "new b"),
        ("d.md", "new d"),
    ]
    for name in "ac":
        remote.write_object("blob", b"new " + name.encode())
    assert counts(hub.sync(source)) == (1, 1, 2, 0, 0)
    assert hub.document(project, "a.md")["id"] == before
    assert counts(hub.sync(source)) == (0, 0, 4, 0, 0)


def test_a_repository_with_spaces_and_other_letters_in_its_url_is_synced(hub: Hub) -> None:
    remote = hub.server.create("team/My Project/_git/Café C#")
    remote.commit({"a.md": b"# A\n"})
    shown = "https://git.example/team/My%20Project/_git/Caf%C3%A9%20C%23.git"
    assert remote.url == shown
    project = hub.create_project()
    source = hub.create_source(project, remote, github_url=shown.replace("%C3%A9", "%c3%a9"))
    assert hub.client.get(f"/api/project-docs/{source}").json()["github_url"] == shown
    assert counts(hub.sync(source)) == (1, 0, 0, 0, 0)
