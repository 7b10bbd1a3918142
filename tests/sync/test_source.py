"""What runs record of their source, and what the next runs make of that."""

from __future__ import annotations

from datetime import datetime, timedelta

from service.git.history import FETCHED_COMMITS
from tests.support.hub import Hub, counts, row_versions
from tests.support.postgres import run_sql


def test_a_folder_without_recent_commits_has_the_oldest_known_date(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"docs/a.md": b"# A\n"})
    project = hub.create_project()
    early = hub.create_source(project, remote, github_folder_path="docs")
    hub.sync(early)
    date = hub.status(early)["last_github_commit_date"]
    for number in range(FETCHED_COMMITS):
        remote.commit({"src/x.py": b"%d" % number})
    hub.sync(early)
    assert hub.status(early)["last_github_commit_date"] == date
    late = hub.create_source(project, remote, github_folder_path="docs")
    hub.sync(late)
    at_latest = hub.status(late)["last_github_commit_date"]
    between = datetime.fromisoformat(at_latest) - datetime.fromisoformat(date)
    assert between == timedelta(
        seconds=60
    )  # the date of the second commit, the oldest of those fetched


def test_documents_read_by_other_code_are_read_again_and_written_if_different(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"# A", "b.md": b"# B", "nul.md": b"\0" + bytes(range(1, 256)) * 1000})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    first = hub.sync(source)
    before = row_versions(hub)
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
    after = row_versions(hub)
    assert after["a.md"] != before["a.md"]
    assert after["b.md"] == before["b.md"]
    assert hub.sync(source)["bytes"] == 0  # read again only once


def test_the_run_after_a_change_of_branch_or_folder_shows_the_new_one(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"main"})
    remote.commit({"a.md": b"other"}, branch="release/1")
    project = hub.create_project()
    source = hub.create_source(project, remote, branch="release/1")
    hub.sync(source)
    assert hub.document(project, "a.md")["content"] == "other"
    assert hub.client.put(f"/api/project-docs/{source}", json={"branch": None}).status_code == 200
    assert hub.document(project, "a.md")["content"] == "other"  # until the next run
    hub.sync(source)
    assert hub.document(project, "a.md")["content"] == "main"
    hub.client.put(f"/api/project-docs/{source}", json={"github_folder_path": "nowhere"})
    run = hub.sync(source)
    assert run["status"] == "failed"
    assert "nowhere" in run["error"]
    assert hub.document(project, "a.md")["content"] == "main"
    hub.client.put(f"/api/project-docs/{source}", json={"github_folder_path": None})
    assert counts(hub.sync(source)) == (0, 0, 1, 0, 0)


def test_a_source_has_the_name_of_the_default_branch(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"a"})
    remote.commit({"a.md": b"b"}, branch="release/1")
    project = hub.create_project()
    following = hub.create_source(project, remote, name="1")
    named = hub.create_source(project, remote, name="2", branch="release/1")

    def default_branches() -> list[str | None]:
        paths = [f"/api/project-docs/{source}" for source in (following, named)]
        return [hub.client.get(path).json()["default_branch"] for path in paths]

    assert default_branches() == [None, None]
    hub.sync(following)
    hub.sync(named)
    assert default_branches() == ["main", "main"]
    remote.set_head("release/1")
    hub.server.forget()
    hub.sync(named)
    assert len(hub.server.requests) == 2  # no more than without the name
    hub.sync(following)
    assert default_branches() == ["release/1", "main"]
    other = hub.server.create("other/docs")
    other.commit({"a.md": b"c"}, branch="release/1")
    other.set_head("release/1")
    hub.client.put(f"/api/project-docs/{named}", json={"github_url": other.url})
    assert default_branches() == ["release/1", None]
    hub.sync(named)
    assert default_branches() == ["release/1", "release/1"]
    remote.detach_head(remote.head())
    hub.sync(following)
    assert default_branches() == [None, "release/1"]
