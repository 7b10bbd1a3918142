from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from service.git.repository import HISTORY_COMMITS
from service.sync.files import ROWS_PER_STATEMENT
from tests.support.git_server import FIRST_COMMIT, LFS_POINTER, Link, Submodule
from tests.support.hub import Hub, running_hub
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


DOCUMENTS = "select file_path, content from document order by 1"


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


def counts(run: dict[str, Any]) -> tuple[int, ...]:
    names = ("added", "changed", "unchanged", "removed", "skipped")
    return tuple(run[name] for name in names)


def versions(hub: Hub) -> dict[str, object]:
    """Which version of each document's row there is: another as soon as it is written."""
    query = "select file_path, xmin::text || ctid::text from document"
    return dict(run_sql(hub.database, query))


def test_a_sync_brings_the_documents_of_the_folder_in(hub: Hub) -> None:
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
        "status": "processing",
    }
    run = hub.wait(response.headers["location"])
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


def test_writing_is_part_of_what_a_sync_took(hub: Hub) -> None:
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


def test_nothing_new_asks_once_and_writes_no_document(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"# A\n", "link.md": Link(b"a.md")})
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    synced = hub.status(source)["last_synced_at"]
    before = versions(hub)
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
    assert versions(hub) == before
    status = hub.status(source)
    assert status["message"] == "Sync completed successfully. 1 files synced."
    assert status["last_synced_at"] > synced


def test_a_commit_elsewhere_in_the_repository_writes_no_document(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"docs/a.md": b"# A\n"})
    source = hub.create_source(hub.create_project(), remote, github_folder_path="docs")
    hub.sync(source)
    date = hub.status(source)["last_github_commit_date"]
    before = versions(hub)
    commit = remote.commit({"src/x.py": b"1"})
    assert counts(hub.sync(source)) == (0, 0, 1, 0, 0)
    assert versions(hub) == before
    assert hub.client.get(f"/api/project-docs/{source}").json()["last_commit"] == commit
    assert hub.status(source)["last_github_commit_date"] == date


def test_a_folder_that_was_quiet_for_long_has_the_oldest_date_that_is_known(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"docs/a.md": b"# A\n"})
    project = hub.create_project()
    early = hub.create_source(project, remote, github_folder_path="docs")
    hub.sync(early)
    date = hub.status(early)["last_github_commit_date"]
    for number in range(HISTORY_COMMITS):
        remote.commit({"src/x.py": b"%d" % number})
    hub.sync(early)
    assert hub.status(early)["last_github_commit_date"] == date
    late = hub.create_source(project, remote, github_folder_path="docs")
    hub.sync(late)
    at_latest = hub.status(late)["last_github_commit_date"]
    between = datetime.fromisoformat(at_latest) - datetime.fromisoformat(date)
    assert between == timedelta(seconds=60)  # the next commit's, which is the oldest of so many


def test_only_what_differs_is_fetched_and_written(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({f"{name}.md": name.encode() * 10_000 for name in "abcdef"})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    assert counts(hub.sync(source)) == (6, 0, 0, 0, 0)
    files = hub.files(project)
    kept = hub.document(project, "c.md")
    before = versions(hub)
    remote.commit({"a.md": b"changed", "b.md": None, "g.md": b"new"})
    run = hub.sync(source)
    assert counts(run) == (1, 1, 4, 1, 0)
    assert run["bytes"] < 10_000
    after = versions(hub)
    assert set(after) == {"a.md", "c.md", "d.md", "e.md", "f.md", "g.md"}
    assert {path for path in after if after[path] != before.get(path)} == {"a.md", "g.md"}
    assert hub.files(project)["a.md"]["id"] == files["a.md"]["id"]
    assert hub.document(project, "a.md")["content"] == "changed"
    assert hub.document(project, "a.md")["updated_at"] > kept["updated_at"]
    assert hub.document(project, "c.md") == kept


def test_what_was_moved_is_not_fetched_again(hub: Hub) -> None:
    remote = hub.server.create()
    content = b"# Large\n" + bytes(range(32, 127)) * 4000
    utf16 = "\ufeffmoved".encode("utf-16-le")
    remote.commit({"old/a.md": content, "old/b.txt": utf16})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    remote.commit(renames={"old": "new"})
    run = hub.sync(source)
    assert counts(run) == (2, 0, 0, 2, 0)
    assert run["bytes"] < 10_000
    assert hub.document(project, "new/a.md")["content"].encode() == content
    raw = hub.client.get(f"/api/documents/{hub.files(project)['new/b.txt']['id']}/raw")
    assert raw.content == utf16


def test_contents_that_change_places_are_not_lost(hub: Hub) -> None:
    count = ROWS_PER_STATEMENT + 10  # so that some are written over before others are
    remote = hub.server.create()
    remote.commit({f"{number:04}.md": b"# %d\n" % number for number in range(count)})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    remote.commit({f"{number:04}.md": b"# %d\n" % (number + 1) for number in range(count - 1)})
    remote.commit({f"{count - 1:04}.md": b"# 0\n"})
    assert counts(hub.sync(source)) == (0, count, 0, 0, 0)
    rows = run_sql(
        hub.database, "select content, doc_metadata ->> 'title' from document order by file_path"
    )
    expected = [str(number) for number in [*range(1, count), 0]]
    assert [title for _, title in rows] == expected
    assert [content for content, _ in rows] == [f"# {title}\n" for title in expected]


def test_what_other_code_read_is_read_again_and_written_where_it_differs(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"# A", "b.md": b"# B", "nul.md": b"\0" + bytes(range(1, 256)) * 1000})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    first = hub.sync(source)
    before = versions(hub)
    run_sql(
        hub.database,
        "update project_doc set reader_version = 0",
        "update sync_run set skipped_files = jsonb_set(skipped_files, '{0,reason}', '\"was so\"')",
        "update document set doc_metadata = '{}', updated_at = created_at where file_path = 'a.md'",
    )
    run = hub.sync(source)
    assert counts(run) == (0, 0, 2, 0, 1)
    assert run["skipped_files"] == first["skipped_files"]
    assert hub.document(project, "a.md")["doc_metadata"]["title"] == "A"
    after = versions(hub)
    assert after["a.md"] != before["a.md"]
    assert after["b.md"] == before["b.md"]
    assert hub.sync(source)["bytes"] == 0  # and that was that


def test_what_cannot_be_shown_is_skipped_and_said_why(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit(
        {
            b"ok.md": b"fine",
            b"passwd.md": Link(b"/etc/passwd"),
            b"latest": Link(b"docs"),
            b"nul.md": b"a\0b",
            b"latin.md": b"caf\xe9",
            b"lfs.md": LFS_POINTER,
            b"module": Submodule("1" * 40),
            b"large.json": b"[" + b"1," * 2_500_001 + b"1]",
            b"bad-\xff.md": b"x",
            b"bad-\\xff.md": b"the one of which this is the name",
            b"x" * 200 + (b"/" + b"y" * 200) * 5 + b".md": b"x",
            # Fewer characters than that, and more bytes than PostgreSQL's index takes.
            ("\u65e5" * 80 + "/").encode() * 12 + b"x.md": b"x",
            b"a/" * 400 + b"x.md": b"x",
        }
    )
    project = hub.create_project()
    run = hub.sync(hub.create_source(project, remote))
    assert run["status"] == "completed", run
    assert set(hub.files(project)) == {"ok.md", "bad-\\xff.md"}
    reasons = {file["path"]: file["reason"] for file in run["skipped_files"]}
    assert {path: reasons[path] for path in reasons if len(path) < 100} == {
        "passwd.md": "is a symbolic link",
        "module": "is a submodule",
        "nul.md": reasons["nul.md"],
        "latin.md": reasons["latin.md"],
        "lfs.md": reasons["lfs.md"],
        "large.json": "is larger than 5 MB",
        "bad-\\xff.md": "has a name that is not valid UTF-8",
    }
    assert "NUL" in reasons["nul.md"]
    assert "UTF-8" in reasons["latin.md"]
    assert "LFS" in reasons["lfs.md"]
    assert sorted(reasons[path] for path in reasons if len(path) > 100) == [
        "has a path of more than 1,024 bytes",
        "has a path of more than 1,024 bytes",
        "is more than 100 folders deep",
    ]
    assert run["skipped"] == len(run["skipped_files"]) == 10
    assert run["added"] == 2
    assert "root:" not in json.dumps(run_sql(hub.database, DOCUMENTS))


def test_of_a_long_path_only_its_beginning_is_told(hub: Hub) -> None:
    remote = hub.server.create()
    long = (b"d" * 200 + b"/") * 20
    others = {long + b"a.md": Link(b"x"), long + b"b": Submodule("1" * 40)}
    remote.commit({**others, long + b"\xff.md": b"x", long + b"c.md": b"x"})
    run = hub.sync(hub.create_source(hub.create_project(), remote))
    assert {file["path"] for file in run["skipped_files"]} == {"d" * 200 + "…"}
    assert {file["reason"] for file in run["skipped_files"]} == {
        "is a symbolic link",
        "is a submodule",
        "has a name that is not valid UTF-8",
        "has a path of more than 1,024 bytes",
    }


def test_what_was_skipped_is_not_fetched_again(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"nul.md": b"\0" + bytes(range(1, 256)) * 1000, "ok.md": b"1"})
    source = hub.create_source(hub.create_project(), remote)
    assert counts(hub.sync(source)) == (1, 0, 0, 0, 1)
    remote.commit({"ok.md": b"2"})
    run = hub.sync(source)
    assert counts(run) == (0, 1, 0, 0, 1)
    assert run["bytes"] < 10_000


def test_contents_are_remembered_before_links_where_not_all_can_be(hub: Hub) -> None:
    remote = hub.server.create()
    links = {f"{number}.md": Link(b"a") for number in range(1000)}
    remote.commit(links | {"nul.md": b"\0" + bytes(range(1, 256)) * 1000, "ok.md": b"1"})
    source = hub.create_source(hub.create_project(), remote)
    assert counts(hub.sync(source)) == (1, 0, 0, 0, 1001)
    remote.commit({"ok.md": b"2"})
    run = hub.sync(source)
    assert counts(run) == (0, 1, 0, 0, 1001)
    assert run["bytes"] < 50_000


def test_what_was_skipped_is_known_after_any_number_of_failures(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"x", "link.md": Link(b"a.md")})
    source = hub.create_source(hub.create_project(), remote)
    completed = hub.sync(source)
    run_sql(
        hub.database,
        "insert into sync_run (project_doc_id, status, created_at, finished_at) "
        f"select '{source}', 'failed', now(), now() from generate_series(1, 150) n",
    )
    hub.server.behaviour.status = 500
    assert hub.sync(source)["status"] == "failed"
    path = f"/api/project-docs/{source}/syncs"
    assert hub.client.get(f"{path}?limit=1000").json()[-1] == completed
    hub.server.behaviour.status = None
    assert counts(hub.sync(source)) == (0, 0, 1, 0, 1)


def test_the_deepest_path_that_is_taken_is_shown(hub: Hub) -> None:
    remote = hub.server.create()
    path = "a/" * 100 + "x.md"
    remote.commit({path: b"x"})
    project = hub.create_project()
    for _ in range(2):  # the second time below a folder of the source's own
        assert counts(hub.sync(hub.create_source(project, remote))) == (1, 0, 0, 0, 0)
        assert [name for name in hub.files(project) if name.endswith(path)]


def test_a_document_that_cannot_be_shown_any_more_is_gone(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"text"})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    remote.commit({"a.md": b"\0"})
    assert counts(hub.sync(source)) == (0, 0, 0, 1, 1)
    assert hub.files(project) == {}


def test_names_are_kept_as_they_are(hub: Hub) -> None:
    remote = hub.server.create()
    names = [
        "new\nline.md",
        "quote\"'.md",
        "back\\slash.md",
        "Case.md",
        "case.md",
        "ü/日本.md",
        "-x.md",
    ]
    remote.commit({name: name.encode() for name in names})
    project = hub.create_project()
    run = hub.sync(hub.create_source(project, remote))
    assert counts(run) == (len(names), 0, 0, 0, 0)
    assert set(hub.files(project)) == set(names)
    for name in names:
        assert hub.document(project, name)["content"] == name


@pytest.mark.parametrize(
    ("content", "text", "encoding"),
    [
        (b"\xef\xbb\xbf# A\r\n", "# A\r\n", "utf-8-sig"),
        ("\ufeff# \u00c4\n".encode("utf-16-le"), "# \u00c4\n", "utf-16-le"),
        ("\ufeff# \u00c4\n".encode("utf-16-be"), "# \u00c4\n", "utf-16-be"),
        (b"", "", None),
        ("\U0001f600".encode(), "\U0001f600", None),
    ],
)
def test_what_windows_writes_is_read_and_given_back_as_it_was(
    hub: Hub, content: bytes, text: str, encoding: str | None
) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": content})
    project = hub.create_project()
    hub.sync(hub.create_source(project, remote))
    document = hub.document(project, "a.md")
    assert document["content"] == text
    assert document["doc_metadata"].get("encoding") == encoding
    assert document["file_size"] == len(content)
    raw = hub.client.get(f"/api/documents/{document['id']}/raw")
    assert raw.content == content
    assert raw.text.removeprefix("\ufeff") == text


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


def test_a_source_shows_its_branch_and_when_it_is_pointed_elsewhere_that_one(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"main"})
    remote.commit({"a.md": b"other"}, branch="release/1")
    project = hub.create_project()
    source = hub.create_source(project, remote, branch="release/1")
    hub.sync(source)
    assert hub.document(project, "a.md")["content"] == "other"
    assert hub.client.put(f"/api/project-docs/{source}", json={"branch": None}).status_code == 200
    assert hub.document(project, "a.md")["content"] == "other"  # until it is synced
    hub.sync(source)
    assert hub.document(project, "a.md")["content"] == "main"
    hub.client.put(f"/api/project-docs/{source}", json={"github_folder_path": "nowhere"})
    run = hub.sync(source)
    assert run["status"] == "failed"
    assert "nowhere" in run["error"]
    assert hub.document(project, "a.md")["content"] == "main"
    hub.client.put(f"/api/project-docs/{source}", json={"github_folder_path": None})
    assert counts(hub.sync(source)) == (0, 0, 1, 0, 0)


def break_nothing(hub: Hub, source: str) -> None:
    pass


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
        (point_at_nothing, "not"),
        (stop_answering, "500"),
        (hang_up, ""),
        (demand_a_password, ""),
        (redirect, "moved"),
    ],
)
def test_a_sync_that_fails_leaves_the_old_state_and_says_why(
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


def test_an_empty_repository_fails_until_there_is_something(hub: Hub) -> None:
    remote = hub.server.create()
    source = hub.create_source(hub.create_project(), remote)
    assert "no commits" in hub.sync(source)["error"]
    remote.commit({"a.md": b"1"})
    assert counts(hub.sync(source)) == (1, 0, 0, 0, 0)


def test_a_service_without_room_for_a_directory_says_so(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"1"})
    source = hub.create_source(hub.create_project(), remote)
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        run = hub.sync(source)
    assert run["error"] == "The service cannot make a temporary directory."
    assert run["bytes"] == 0
    assert hub.sync(source)["status"] == "completed"


def test_more_documents_than_the_operator_allows_are_refused(database: str, tmp_path: Path) -> None:
    with running_hub(database, tmp_path, sync_max_files=2) as hub:
        remote = hub.server.create()
        remote.commit({f"{name}.md": b"x" for name in "abc"} | {"x.png": b""})
        run = hub.sync(hub.create_source(hub.create_project(), remote))
        assert run["error"].startswith("There are 3 documents, and 2 are the most")
        remote.commit({"a.md": None})
        assert run_sql(database, DOCUMENTS) == []


@pytest.mark.parametrize(
    "content",
    # The headings take more than the text; what cannot be shown has to be read all the same.
    [b"x" * 90_000, b"# a\n" * 2000, b"\0" * 90_000],
    ids=["text", "headings", "unreadable"],
)
def test_one_content_in_many_files_counts_as_often(
    database: str, tmp_path: Path, content: bytes
) -> None:
    with running_hub(database, tmp_path, sync_max_bytes=4_000_000) as hub:
        remote = hub.server.create()
        remote.commit({f"{number}.md": content for number in range(120)})
        source = hub.create_source(hub.create_project(), remote)
        assert "more than 4,000,000 bytes together" in hub.sync(source)["error"]
        assert run_sql(database, DOCUMENTS) == []
        remote.commit({f"{number}.md": content for number in range(3)}, start_over=True)
        assert hub.sync(source)["status"] == "completed"


def test_a_server_that_stalls_costs_no_more_than_the_operator_allows(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with running_hub(database, tmp_path, sync_timeout=1.0) as hub:
        remote = hub.server.create()
        remote.commit({"a.md": b"x" * 100_000})
        hub.server.behaviour.stall_after = 100
        run = hub.sync(hub.create_source(hub.create_project(), remote), seconds=10)
        assert run["status"] == "failed"
        assert run["duration_seconds"] < 5
        assert not list(tmp_path.glob("bmadflow-sync-*"))


def test_readers_see_the_old_state_or_the_new_one(hub: Hub) -> None:
    remote = hub.server.create()
    names = [f"{number}.md" for number in range(1500)]  # several statements
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


def test_a_source_that_is_pointed_elsewhere_meanwhile_shows_what_it_points_at(hub: Hub) -> None:
    one, two = hub.server.create("one"), hub.server.create("two")
    one.commit({"a.md": b"one" * 1000})
    two.commit({"a.md": b"two" * 1000})
    project = hub.create_project()
    source = hub.create_source(project, one)
    hub.server.behaviour.stall_after = 100
    response = hub.client.post(f"/api/project-docs/{source}/sync")
    eventually(lambda: len(hub.server.requests) >= 2)
    hub.client.put(f"/api/project-docs/{source}", json={"github_url": two.url})
    hub.server.behaviour.resume.set()
    assert hub.wait(response.headers["location"])["status"] == "completed"
    assert hub.document(project, "a.md")["content"].startswith("two")


@pytest.mark.parametrize("what", ["project", "source"])
def test_what_is_deleted_meanwhile_stays_deleted(hub: Hub, what: str) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"x" * 1000})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.server.behaviour.stall_after = 100
    hub.client.post(f"/api/project-docs/{source}/sync")
    eventually(lambda: len(hub.server.requests) >= 2)
    path = f"/api/projects/{project}" if what == "project" else f"/api/project-docs/{source}"
    assert hub.client.delete(path).status_code == 200
    hub.server.behaviour.resume.set()
    other = hub.create_source(hub.create_project("Other"), remote)
    assert hub.sync(other)["status"] == "completed"  # the worker is well
    assert len(run_sql(hub.database, DOCUMENTS)) == 1


def test_every_source_is_synced_again_after_a_while(database: str, tmp_path: Path) -> None:
    with running_hub(database, tmp_path, sync_every_minutes=5.0) as hub:
        remote = hub.server.create()
        remote.commit({"a.md": b"x"})
        project = hub.create_project()
        never, lately, long_ago = (hub.create_source(project, remote) for _ in range(3))
        for source in (lately, long_ago):
            hub.sync(source)
        run_sql(
            database,
            "update sync_run set created_at = now() - interval '6 minutes' "
            f"where project_doc_id = '{long_ago}'",
        )
        runs = "select project_doc_id::text, count(*) from sync_run group by 1"
        expected = {never: 1, lately: 1, long_ago: 2}
        eventually(lambda: dict(run_sql(database, runs)) == expected, seconds=20)


def test_syncs_are_counted_by_how_they_ended(hub: Hub) -> None:
    remote = hub.server.create()
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    remote.commit({"a.md": b"x"})
    hub.sync(source)
    hub.sync(source)
    expected = {
        'bmadflow_sync_duration_seconds_count{status="failed"} 1.0',
        'bmadflow_sync_duration_seconds_count{status="completed"} 2.0',
        "bmadflow_syncs_given_up_total 0.0",
        "bmadflow_syncs_running 0.0",
    }
    eventually(lambda: expected <= set(hub.client.get("/metrics").text.splitlines()))
