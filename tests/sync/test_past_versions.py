"""The burn-up of real git repositories, read over HTTP run by run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service.bmad.past_facts import may_be_work, read_facts
from service.bmad.past_record import Record, extend_record, join_records
from service.bmad.past_stories import replay
from service.git.repository import GitRepository
from service.sync.past_versions import read_versions
from tests.support.git_repository import git_options

if TYPE_CHECKING:
    from service.bmad.past_stories import PastStories
    from service.git.history import History
    from service.git.options import GitOptions
    from tests.support.git_server import GitServer, Remote

pytestmark = pytest.mark.anyio

DAY = 86_400
FIRST_DAY = 1_767_225_600  # 2026-01-01
TRACKER = "docs/sprint-status.yaml"


class Reader:
    """Reads a repository's history, run by run, with what earlier runs have recorded."""

    def __init__(self, options: GitOptions, remote: Remote, commits: int = 2000) -> None:
        self.record = Record([], [])
        self._options = options
        self._remote = remote
        self._commits = commits
        self._head: str | None = None

    async def run(self) -> tuple[History, PastStories]:
        url = self._remote.url
        known = {row.commit for row in self.record.commits} | ({self._head} - {None})
        async with GitRepository(self._options) as repository:
            tree = await repository.fetch_tree(url, None, None)
            history = await repository.fetch_history(
                url,
                tree.commit,
                None,
                commits=self._commits,
                known={*filter(None, known)},
                is_wanted=may_be_work,
            )
            read = await read_versions(repository, url, history, self.record, {})
        self.record = join_records(self.record, extend_record(read.compared, {}))
        self._head = history.head
        return history, replay(self.record, {}, {})


def story(number: int, status: str) -> dict[str, bytes]:
    text = (
        f"# Story 1.{number}: Do it\n\nStatus: {status}\n\n## Acceptance Criteria\n\n1. It works\n"
    )
    return {f"docs/stories/1.{number}.story.md": text.encode()}


def tracker(statuses: dict[str, str]) -> dict[str, bytes]:
    lines = [f"  {key}: {status}\n" for key, status in statuses.items()]
    return {TRACKER: "".join(["development_status:\n", *lines]).encode()}


def commit(
    remote: Remote, day: int, files: dict[str, bytes] | dict[str, None], *, start_over: bool = False
) -> str:
    return remote.commit(files, seconds=FIRST_DAY + day * DAY, start_over=start_over)


def burn_up(past: PastStories) -> list[tuple[int, int, int]]:
    """Return the days, counted from the first, with scope and done."""
    first = past.days[0].day
    return [((each.day - first).days, each.scope, each.done) for each in past.days]


def commit_stories(remote: Remote) -> None:
    """Ten stories in 30 days: drafted on days 0 to 9, reviewed on 10 to 19, done on 20 to 29."""
    for day in range(30):
        status = ("Draft", "Ready for Review", "Done")[day // 10]
        commit(remote, day, story(day % 10, status))


async def test_thirty_commits_day_by_day(tmp_path: Path, git: GitServer) -> None:
    remote = git.create()
    commit_stories(remote)
    reader = Reader(git_options(tmp_path, git), remote)
    history, past = await reader.run()
    expected = [(day, min(day + 1, 10), max(day - 19, 0)) for day in range(30)]
    assert burn_up(past) == expected
    assert (history.note, len(past.stories)) == (None, 10)
    # The tracker knows more; its keys go and come back.
    commit(remote, 30, tracker({"1-0-do-it": "done", "1-10-more": "backlog"}))
    commit(remote, 31, tracker({"1-0-do-it": "done"}))
    commit(remote, 32, {"docs/other.md": b"# Other\n"})
    commit(remote, 33, tracker({"1-10-more": "done"}))
    history, past = await reader.run()
    assert len(history.commits) == 3
    expected += [(30, 11, 10), (31, 10, 10), (33, 11, 11)]
    assert burn_up(past) == expected
    remote.commit(
        renames={"docs/stories/1.1.story.md": "docs/stories/1.1.do-it.md"},
        seconds=FIRST_DAY + 34 * DAY,
    )
    _, past = await reader.run()
    assert len(past.stories) == 11
    # All is uninstalled: the past stays.
    names = remote.git("ls-tree", "-r", "--name-only", "main").splitlines()
    commit(remote, 35, dict.fromkeys(names, None))
    _, past = await reader.run()
    expected += [(34, 11, 11), (35, 0, 0)]
    assert burn_up(past) == expected
    assert (await Reader(git_options(tmp_path, git), remote).run())[1] == past


async def test_a_merge_counts_when_it_is_merged(tmp_path: Path, git: GitServer) -> None:
    remote = git.create()
    commit(remote, 0, story(1, "Draft"))
    base = remote.head()
    remote.git("update-ref", "refs/heads/side", base)
    side = remote.commit(story(2, "Done"), branch="side", seconds=FIRST_DAY + DAY)
    identity = ("-c", "user.name=x", "-c", "user.email=x@x")
    parents = ("-p", base, "-p", side)
    merge = remote.git(*identity, "commit-tree", *parents, "-m", "Merge", f"{side}^{{tree}}")
    remote.git("update-ref", "refs/heads/main", merge)
    history, past = await Reader(git_options(tmp_path, git), remote).run()
    assert [each.id for each in history.commits] == [base, merge]
    assert [(each.scope, each.done) for each in past.days] == [(1, 0), (2, 1)]


async def test_a_force_push_replaces_what_it_removed(tmp_path: Path, git: GitServer) -> None:
    remote = git.create()
    commit_stories(remote)
    options = git_options(tmp_path, git)
    reader = Reader(options, remote)
    await reader.run()
    remote.git("update-ref", "refs/heads/main", "main~5")
    commit(remote, 40, story(0, "In Progress"))
    _, past = await reader.run()
    assert burn_up(past)[-2:] == [(24, 10, 5), (40, 10, 4)]
    assert past == (await Reader(options, remote).run())[1]
    # One commit in place of all: what is older than it stays.
    commit(remote, 35, story(1, "Done"), start_over=True)
    _, past = await reader.run()
    assert burn_up(past)[-2:] == [(24, 10, 5), (35, 1, 1)]
    assert len(past.stories) == 10


async def test_a_pause_longer_than_the_depth_keeps_the_past(tmp_path: Path, git: GitServer) -> None:
    remote = git.create()
    for day in range(5):
        commit(remote, day, story(day, "Draft"))
    reader = Reader(git_options(tmp_path, git), remote, commits=55)
    await reader.run()
    for number in range(70):
        status = "Done" if number >= 65 else f"Draft {number}"
        commit(remote, 10 + number, story(number % 5, status))
    history, past = await reader.run()
    assert (history.base, history.is_cut, len(history.commits)) == (None, True, 55)
    days = burn_up(past)
    assert days[:6] == [(0, 1, 0), (1, 2, 0), (2, 3, 0), (3, 4, 0), (4, 5, 0), (25, 5, 0)]
    assert days[-1] == (79, 5, 5)
    assert [each.is_since_exact for each in past.stories] == [True] * 5


async def test_a_server_that_fails_once_is_read_whole_another_time(
    tmp_path: Path, git: GitServer
) -> None:
    remote = git.create()
    commit_stories(remote)
    for day in range(30, 60):
        commit(remote, day, story(day % 10, f"Done {day}"))
    git.behaviour.hang_up_once = b"deepen 2001"
    options = git_options(tmp_path, git)
    history, past = await Reader(options, remote).run()
    assert (history.is_partial, len(past.days)) == (True, 50)
    history, past = await Reader(options, remote).run()
    assert (history.is_partial, len(past.days)) == (False, 60)


async def test_stored_contents_are_not_read_and_without_older_ones_not_fetched(
    tmp_path: Path, git: GitServer
) -> None:
    remote = git.create()
    commit_stories(remote)
    commit(remote, 29, story(10, "Draft"))
    commit(remote, 30, story(1, "Draft"))  # as its first version was
    paths = [f"docs/stories/1.{number}.story.md" for number in range(11)]
    stored = {path: remote.git("rev-parse", f"main:{path}") for path in paths}
    url = remote.url
    found: list[Record] = []
    fetched: list[int] = []
    for known in ({}, stored):
        async with GitRepository(git_options(tmp_path, git)) as repository:
            tree = await repository.fetch_tree(url, None, None)
            history = await repository.fetch_history(
                url, tree.commit, None, commits=2000, known=set(), is_wanted=may_be_work
            )
            before = repository.fetched_bytes()
            read = await read_versions(repository, url, history, Record([], []), known)
            fetched.append(repository.fetched_bytes() - before)
        facts = {
            path: read_facts(path, remote.git("cat-file", "blob", blob_id))
            for path, blob_id in known.items()
        }
        found.append(extend_record(read.compared, facts).added)
        assert read.skipped == 0
    assert found[0] == found[1]
    current = sum(len(commit.current) for commit in read.compared.commits)
    assert current == len(paths)
    assert fetched[1] < fetched[0]
