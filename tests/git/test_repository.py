from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from service import PROJECT
from service.git import folder as git_folder
from service.git import process as git_process
from service.git.errors import GitError, explain
from service.git.folder import remove_leftovers
from service.git.objects import Blobs, Entry, Tree
from service.git.options import GitOptions
from service.git.repository import MAX_FILE_BYTES, GitRepository
from tests.support.git_server import (
    FIRST_COMMIT,
    LFS_POINTER,
    GitServer,
    Link,
    Submodule,
    git_server,
)
from tests.support.git_server import git_settings as settings_of
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.anyio

TOKEN = "github_pat_0123456789secret"


@pytest.fixture(params=["uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return ("asyncio", {"use_uvloop": request.param == "uvloop"})


both_loops = pytest.mark.parametrize("anyio_backend", ["uvloop", "asyncio"], indirect=True)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the directories of the test are made, so that it sees those of nobody else."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "served") as server:
        yield server


@pytest.fixture(scope="session")
def giants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """A server with giants: 200 MB of zeros, and 60 MB that cannot be compressed."""
    with git_server(tmp_path_factory.mktemp("giants")) as server:
        zeros = server.create("zeros")
        zeros.configure("core.compression", "1")
        zeros.commit({"a.md": b"# A\n", "docs/b.md": b"# B\n", "docs/zeros.md": bytes(200_000_000)})
        server.create("noise").commit(
            {"docs/b.md": b"# B\n", "docs/noise.md": os.urandom(60_000_000), "c.bin": b"c" * 9000}
        )
        yield server


def options(tmp_path: Path, server: GitServer, **changes: Any) -> GitOptions:
    return GitOptions(**settings_of(tmp_path, server, **changes))


async def read(
    options: GitOptions, url: str, folder: str | None = None, branch: str | None = None
) -> tuple[Tree, dict[bytes, bytes]]:
    """Return the tree and the contents of its files by their paths."""
    async with GitRepository(options) as repository:
        tree = await repository.fetch_tree(url, branch, folder)
        blobs = await repository.fetch_blobs(url, [entry.id for entry in files(tree)])
    # Also after the end of the repository: whoever reads in a thread may come late.
    return tree, {entry.path: blobs.read(entry.id) for entry in files(tree)}


def files(tree: Tree) -> list[Entry]:
    return [entry for entry in tree.entries if entry.type == "blob"]


def processes(folder: Path) -> list[psutil.Process]:
    """The processes that have to do with a directory, but those that have ended."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline", "status"]):
        arguments = " ".join(process.info["cmdline"] or [])
        if str(folder) in arguments and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return [process for process in found if process.pid != os.getpid()]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def stored(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def stored_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in stored(folder))


async def until(check: Callable[[], bool]) -> None:
    for _ in range(1000):
        if check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within 10 s")


def assert_nothing_is_left(temporary: Path) -> None:
    assert names(temporary) == set()
    assert processes(temporary) == []


# What a repository holds.


@both_loops
async def test_a_folder_comes_with_its_files_and_nothing_else(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    big = os.urandom(500_000)
    commit = remote.commit(
        {"docs/a.md": b"# A\n", "docs/sub/b.yaml": b"b: 1\n", "docs2/c.md": b"", "logo.png": big}
    )
    server.forget()
    tree, contents = await read(options(tmp_path, server), remote.url, "docs")
    assert contents == {b"docs/a.md": b"# A\n", b"docs/sub/b.yaml": b"b: 1\n"}
    assert tree.commit == commit
    assert tree.tree_id == remote.git("rev-parse", "HEAD:docs")
    assert tree.commit_date == datetime.fromtimestamp(FIRST_COMMIT + 60, UTC)
    assert [entry.mode for entry in tree.entries] == ["100644", "100644"]
    assert server.sent_bytes < 10_000
    assert_nothing_is_left(temporary)


async def test_the_whole_repository_comes_without_a_folder(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a", "docs/b.md": b"", "c.md": b"a"})
    tree, contents = await read(options(tmp_path, server), remote.url)
    assert contents == {b"a.md": b"a", b"docs/b.md": b"", b"c.md": b"a"}
    assert tree.tree_id == remote.git("rev-parse", "HEAD^{tree}")


async def test_names_come_as_they_are(tmp_path: Path, server: GitServer) -> None:
    names = [
        b'with"quote.md',
        b"with\nnewline.md",
        b"with\ttab.md",
        b"not \xff utf-8.md",
        "bücher.md".encode(),
        b"-dash.md",
        b"README.md",
        b"readme.md",
        b"/".join([b"d" * 200] * 12) + b"/deep.md",
    ]
    remote = server.create()
    remote.commit({b"docs/" + name: name for name in names})
    _, contents = await read(options(tmp_path, server), remote.url, "docs")
    assert contents == {b"docs/" + name: name for name in names}


async def test_links_and_submodules_come_as_entries_and_lead_nowhere(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit(
        {
            "docs/link.md": Link(b"/etc/passwd"),
            "docs/lfs.md": LFS_POINTER,
            "docs/module": Submodule("1" * 40),
        }
    )
    tree, contents = await read(options(tmp_path, server), remote.url, "docs")
    assert {entry.path: (entry.mode, entry.type) for entry in tree.entries} == {
        b"docs/lfs.md": ("100644", "blob"),
        b"docs/link.md": ("120000", "blob"),
        b"docs/module": ("160000", "commit"),
    }
    assert contents == {b"docs/link.md": b"/etc/passwd", b"docs/lfs.md": LFS_POINTER}


@pytest.mark.parametrize("folder", ["*", "[docs]", ":(top)docs", "--output=x", "a b", "bücher"])
async def test_a_folder_may_have_any_name(tmp_path: Path, server: GitServer, folder: str) -> None:
    remote = server.create()
    remote.commit({f"{folder}/a.md": b"in it"})
    remote.commit({"docs/a.md": b"not in it", "d/a.md": b"neither"})
    tree, contents = await read(options(tmp_path, server), remote.url, folder)
    assert contents == {f"{folder}/a.md".encode(): b"in it"}
    assert tree.commit_date == datetime.fromtimestamp(FIRST_COMMIT + 60, UTC)


async def test_what_is_here_already_is_not_fetched_again(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a" * 100, "b.md": b"b" * 100})
    async with GitRepository(options(tmp_path, server)) as repository:
        assert repository.fetched_bytes() == 0
        tree = await repository.fetch_tree(remote.url, None, None)
        ids = [entry.id for entry in tree.entries]
        first = repository.fetched_bytes()
        assert 0 < first < 2000
        await repository.fetch_blobs(remote.url, ids)
        second = repository.fetched_bytes()
        assert second > first
        server.forget()
        blobs = await repository.fetch_blobs(remote.url, [*ids, *ids])
        assert blobs.sizes == dict.fromkeys(ids, 100)
        assert (await repository.fetch_blobs(remote.url, [])).sizes == {}
        assert server.requests == []
        assert repository.fetched_bytes() == second


async def test_no_content_comes_that_was_not_asked_for(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a", "b.md": b"b"})
    async with GitRepository(options(tmp_path, server)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        wanted, other = tree.entries
        server.forget()
        blobs = await repository.fetch_blobs(remote.url, [wanted.id])
        assert len([request for request in server.requests if request.method == "POST"]) == 1
        assert blobs.sizes == {wanted.id: 1}
        assert blobs.read(wanted.id) == b"a"
        with pytest.raises(KeyError):
            blobs.read(other.id)


async def test_git_fetches_nothing_by_itself(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    at = options(tmp_path, server)
    async with GitRepository(at) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        server.forget()
        (name,) = names(temporary)
        missing = [
            f"--git-dir={temporary / name / 'repository'}",
            "cat-file",
            "-p",
            tree.entries[0].id,
        ]
        variables = git_process.git_environment(
            protocols=at.protocols, config_global=at.config_global, configuration={}
        )
        (source, output, errors) = (tmp_path / name for name in ("in", "out", "errors"))
        source.touch()
        command = [*git_process.git_command(1_000_000), *missing]
        code = await git_process.run_git(
            command, variables, stdin=source, stdout=output, stderr=errors
        )
    assert code != 0
    assert b"promisor" in errors.read_bytes()
    assert server.requests == []


async def test_a_server_without_filters_sends_all_and_it_does(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.configure("uploadpack.allowFilter", "false")
    remote.commit({"docs/a.md": b"a", "b.md": b"b"})
    _, contents = await read(options(tmp_path, server), remote.url, "docs")
    assert contents == {b"docs/a.md": b"a"}


def test_contents_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "contents"
    path.write_bytes(b"a blob 1\nA\nb blob 0\n\nc blob 3\n\n\n\n\n")
    blobs = Blobs(path, {"a": 1, "b": 0, "c": 3}, {})
    assert [blobs.read(blob) for blob in "cba"] == [b"\n\n\n", b"", b"A"]
    path.write_bytes(b"a blob 1\nA\nX blob 0\n\nc blob 3\n\n\n\n\n")
    with pytest.raises(GitError):
        blobs.read("b")
    for other in ({"a": 1}, {"a": 1, "b": 0, "c": 4}):
        with pytest.raises(GitError):
            Blobs(path, other, {})


# Branches and heads.


async def test_the_head_is_that_of_the_branch_of_exactly_this_name(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    first = remote.commit({"a.md": b"1"})
    second = remote.commit({"a.md": b"2"}, branch="team/main")
    third = remote.commit({"a.md": b"3"}, branch="HEAD2")
    remote.git("tag", "main", second)
    remote.git("tag", "only-a-tag", second)
    remote.git("update-ref", "refs/remotes/origin/HEAD", third)
    async with GitRepository(options(tmp_path, server)) as repository:
        assert await repository.read_head(remote.url, None) == first
        assert await repository.read_head(remote.url, "main") == first
        assert await repository.read_head(remote.url, "team/main") == second
        for name in ("only-a-tag", "ain", "team", "origin/HEAD"):
            with pytest.raises(GitError, match=f"no branch {name}"):
                await repository.read_head(remote.url, name)
        assert (await repository.fetch_tree(remote.url, "main", None)).commit == first


async def test_a_detached_head_is_one(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    first = remote.commit({"a.md": b"1"})
    remote.commit({"a.md": b"2"})
    remote.detach_head(first)
    async with GitRepository(options(tmp_path, server)) as repository:
        assert await repository.read_head(remote.url, None) == first
        assert (await repository.fetch_tree(remote.url, None, None)).commit == first


async def test_a_force_push_and_a_rename_are_seen(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"docs/a.md": b"1"})
    renamed = remote.commit(renames={"docs/a.md": "docs/b.md"})
    tree, contents = await read(options(tmp_path, server), remote.url, "docs")
    assert (tree.commit, contents) == (renamed, {b"docs/b.md": b"1"})
    pushed = remote.commit({"docs/c.md": b"2"}, start_over=True)
    tree, contents = await read(options(tmp_path, server), remote.url, "docs")
    assert (tree.commit, contents) == (pushed, {b"docs/c.md": b"2"})


async def test_the_date_is_that_of_the_last_commit_that_touched_the_folder(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({"old/a.md": b"a", "new/a.md": b"a"})
    for number in range(40):
        remote.commit({"b.md": b"%d" % number})
    remote.commit({"new/a.md": b"b"}, seconds=1_750_000_000)
    for number in range(9):
        remote.commit({"b.md": b"x%d" % number})
    at = options(tmp_path, server)
    # Of the 51 commits, the newest 50 are fetched; the oldest of these made nothing of it.
    old, new, whole = [(await read(at, remote.url, name))[0] for name in ("old", "new", None)]
    assert old.commit_date == datetime.fromtimestamp(FIRST_COMMIT + 120, UTC)
    assert not old.is_date_exact
    assert new.commit_date == datetime.fromtimestamp(1_750_000_000, UTC)
    assert whole.commit_date == datetime.fromtimestamp(1_750_000_000 + 9 * 60, UTC)
    assert new.is_date_exact
    assert whole.is_date_exact


# What goes wrong is told.


async def fails(options: GitOptions, url: str, *arguments: Any) -> str:
    """Return what fetch_tree says of its failure."""
    with pytest.raises(GitError) as raised:
        async with GitRepository(options) as repository:
            await repository.fetch_tree(url, *(arguments or (None, None)))
    return checked(raised.value)


def checked(error: GitError) -> str:
    text = str(error)
    assert text.isprintable()
    assert len(text) < 500
    assert TOKEN not in text
    assert b64encode(f"x-access-token:{TOKEN}".encode()).decode() not in text
    assert tempfile.gettempdir() not in text
    return text


@pytest.mark.parametrize(
    ("branch", "folder", "part"),
    [
        ("gone", None, "has no branch gone"),
        ("deleted", None, "has no branch deleted"),
        (None, "nothing", "has no folder nothing"),
        (None, "a.md/b", "has no folder a.md/b"),
        (None, "a.md", "a.md is not a folder"),
        (None, "link", "link is not a folder"),
        (None, "module", "module is not a folder"),
        (None, "DOCS", "has no folder DOCS"),
        (None, "../docs", "without . and .."),
        ("a:b", None, "git does not allow"),
        ("+main", None, "has no branch +main"),
        ("--upload-pack=touch /tmp/x", None, "git does not allow"),
    ],
)
async def test_what_is_not_there_is_named(
    tmp_path: Path, server: GitServer, branch: str | None, folder: str | None, part: str
) -> None:
    remote = server.create()
    remote.commit(
        {"a.md": b"", "docs/b.md": b"", "link": Link(b"docs"), "module": Submodule("1" * 40)}
    )
    remote.commit({"a.md": b"1"}, branch="deleted")
    remote.delete_branch("deleted")
    assert part in await fails(options(tmp_path, server), remote.url, branch, folder)


async def test_an_empty_repository_is_told_from_one_without_a_default_branch(
    tmp_path: Path, server: GitServer
) -> None:
    at = options(tmp_path, server)
    remote = server.create()
    assert "is empty" in await fails(at, remote.url)
    remote.commit({"a.md": b""}, branch="develop")
    assert "name a branch" in await fails(at, remote.url)
    async with GitRepository(at) as repository:
        with pytest.raises(GitError, match="name a branch"):
            await repository.read_head(remote.url, None)


@pytest.mark.parametrize(
    ("status", "part"),
    [
        (301, "has moved"),
        (308, "has moved"),
        (401, "is private"),
        (403, "refuses access"),
        (404, "not found"),
        (410, "not found"),
        (429, "too many requests"),
        (500, "(500)"),
        (503, "(503)"),
    ],
)
async def test_a_servers_refusal_is_told(
    tmp_path: Path, server: GitServer, status: int, part: str
) -> None:
    remote = server.create()
    server.behaviour.status = status
    server.behaviour.body = b"\x1b]0;evil\x07\x1b[2J SSL"
    assert part in await fails(options(tmp_path, server, token=TOKEN), remote.url)


async def test_what_is_no_git_server_is_told(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b""})
    server.behaviour.status = 200
    server.behaviour.body = b"<html>\nSign in\n</html>\n"
    text = await fails(options(tmp_path, server), remote.url)
    assert "no git repository" in text
    server.behaviour.status = None
    server.behaviour.is_dumb = True
    remote.git("update-server-info")
    assert "shallow" in await fails(options(tmp_path, server), remote.url)


async def test_a_server_that_hangs_up_is_told(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b""})
    server.behaviour.hang_up_after = 200
    assert "broke off" in await fails(options(tmp_path, server), remote.url)


async def test_a_server_that_stalls_is_given_up(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    monkeypatch.setattr(git_process, "STALL_SECONDS", 1)
    remote = server.create()
    remote.commit({"a.md": b""})
    server.behaviour.stall_after = 200
    start = time.monotonic()
    assert "did not answer in time" in await fails(options(tmp_path, server), remote.url)
    assert time.monotonic() - start < 10
    assert_nothing_is_left(temporary)


async def test_nobody_there_is_told(tmp_path: Path, server: GitServer) -> None:
    at = options(tmp_path, server)
    assert "cannot be reached" in await fails(at, "http://127.0.0.1:1/x.git")
    assert "unknown" in await fails(at, "https://nothing.invalid/x.git")


async def test_what_git_refuses_is_told(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    blob = remote.git("hash-object", "-w", "--stdin", stdin=b"x")
    tree = remote.git("mktree", "-z", stdin=f"100644 blob {blob}\t.git\0".encode())
    commit = remote.git("-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", "-m", "x", tree)
    remote.git("update-ref", "refs/heads/main", commit)
    assert "git's own checks" in await fails(options(tmp_path, server), remote.url)


async def test_an_object_that_is_gone_meanwhile_is_told(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b""})
    async with GitRepository(options(tmp_path, server)) as repository:
        with pytest.raises(GitError, match="changed while it was read"):
            await repository.fetch_blobs(remote.url, ["1" * 40])


@pytest.mark.parametrize("blob", ["", "HEAD", "1" * 39, "1" * 41, "A" * 40, "1" * 40 + "\nHEAD"])
async def test_an_id_is_nothing_but_an_id(tmp_path: Path, server: GitServer, blob: str) -> None:
    async with GitRepository(options(tmp_path, server)) as repository:
        with pytest.raises(GitError, match="id"):
            await repository.fetch_blobs(server.create().url, [blob])
    assert server.requests == []


async def test_no_git_is_told(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    at = options(tmp_path, server)
    url = server.create().url
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "git is not installed" in await fails(at, url)
    old = tmp_path / "bin/git"
    old.write_text("#!/bin/sh\necho git version 2.34.1\n")
    old.chmod(0o755)
    assert "git 2.37 or newer" in await fails(at, url)
    old.write_text("#!/nowhere\n")
    assert "cannot be started" in await fails(at, url)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert "temporary directory" in await fails(at, url)
    assert_nothing_is_left(temporary)


async def test_of_much_that_git_prints_only_the_end_is_read(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = options(tmp_path, server)
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\ncase "$*" in *version) echo git version 2.39.5; exit;; esac\n'
        "head -c 50000000 /dev/zero >&2; echo >&2; echo fatal: the end >&2; exit 1\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    tracemalloc.start()
    try:
        assert "the end" in await fails(at, "https://git.example/team/docs.git")
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


async def test_what_cannot_be_started_keeps_nothing_open(tmp_path: Path) -> None:
    nowhere, source = tmp_path / "nowhere/file", Path(os.devnull)
    before = psutil.Process().num_fds()
    for stdin, stdout in ((nowhere, source), (source, nowhere)):
        with pytest.raises(FileNotFoundError):
            await git_process.run_git(["true"], {}, stdin=stdin, stdout=stdout, stderr=source)
    assert psutil.Process().num_fds() == before


@pytest.mark.parametrize(
    ("errors", "part"),
    [
        ("fatal: write error: No space left on device\nfatal: index-pack failed", "disk is full"),
        ("fatal: unable to access 'https://h/x': Could not resolve host: h", "unknown"),
        ("fatal: unable to access 'https://h/TLS': SSL certificate problem: expired", "certif"),
        ("fatal: unable to access 'https://h/SSL': Failed to connect to h", "cannot be reached"),
        ("fatal: Out of memory, malloc failed (tried to allocate 9 bytes)", "memory"),
        ("fatal: transport 'file' not allowed", "kind"),
        ("prlimit: failed to set the AS resource limit: Operation not permitted", "started"),
        ("remote: SSL\nfatal: \x1b[31mnew\x1b]0;t\x07\u202e \x00thing\n", "git says: new thing"),
        ("fatal: bad https://user:pass@h/x", "git says: bad https://h/x"),
        (f"fatal: {TOKEN} in /tmp/here", "git says: … in …"),
        ("", "git ended unexpectedly (128)"),
        ("fatal: " + "x" * 5000, "xxx…"),
    ],
)
def test_what_git_prints_is_explained_or_cleaned(errors: str, part: str) -> None:
    error = explain(128, errors.encode(), max_bytes=1, hidden=["/tmp/here", TOKEN])
    assert part in checked(error)


# Limits.


async def test_giants_are_left_out_and_cost_no_memory(tmp_path: Path, giants: GitServer) -> None:
    url = "https://git.example/zeros.git"
    before = psutil.Process().memory_info().rss
    async with GitRepository(options(tmp_path, giants)) as repository:
        tree = await repository.fetch_tree(url, None, "docs")
        ids = {entry.path: entry.id for entry in tree.entries}
        blobs = await repository.fetch_blobs(url, list(ids.values()))
        assert blobs.too_large == {ids[b"docs/zeros.md"]: 200_000_000}
        assert blobs.sizes == {ids[b"docs/b.md"]: 4}
        assert blobs.read(ids[b"docs/b.md"]) == b"# B\n"
        with pytest.raises(KeyError):
            blobs.read(ids[b"docs/zeros.md"])
    assert psutil.Process().memory_info().rss - before < 50_000_000


async def test_a_giant_that_ends_the_fetch_is_left_out_of_another(
    tmp_path: Path, giants: GitServer, temporary: Path
) -> None:
    url = "https://git.example/noise.git"
    giants.forget()
    async with GitRepository(options(tmp_path, giants, max_bytes=20_000_000)) as repository:
        tree = await repository.fetch_tree(url, None, "docs")
        ids = {entry.path: entry.id for entry in tree.entries}
        blobs = await repository.fetch_blobs(url, list(ids.values()))
        assert blobs.too_large == {ids[b"docs/noise.md"]: None}
        assert blobs.read(ids[b"docs/b.md"]) == b"# B\n"
        assert repository.fetched_bytes() < 5_000  # not c.bin, which is outside of the folder
        assert stored_bytes(temporary) < 1_000_000
    assert giants.sent_bytes < 50_000_000


async def test_giants_of_several_batches_are_left_out_as_those_of_one(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.git.repository.BATCH_BLOBS", 1)
    remote = server.create()
    giants = {name: os.urandom(MAX_FILE_BYTES + 1) for name in ("b.md", "c.md")}
    remote.commit({"a.md": b"a", **giants})
    async with GitRepository(options(tmp_path, server, max_bytes=8_000_000)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        ids = [entry.id for entry in tree.entries]
        blobs = await repository.fetch_blobs(remote.url, ids)
        assert list(blobs.sizes) == ids[:1]
        assert list(blobs.too_large) == ids[1:]


async def test_a_file_may_have_5_mb(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": bytes(MAX_FILE_BYTES), "b.md": bytes(MAX_FILE_BYTES + 1)})
    async with GitRepository(options(tmp_path, server)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        fits, too_large = (entry.id for entry in tree.entries)
        blobs = await repository.fetch_blobs(remote.url, [fits, too_large])
        assert blobs.sizes == {fits: MAX_FILE_BYTES}
        assert blobs.too_large == {too_large: MAX_FILE_BYTES + 1}
        assert blobs.read(fits) == bytes(MAX_FILE_BYTES)


async def test_too_much_is_told(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({f"{number}.md": os.urandom(30_000) for number in range(10)})
    async with GitRepository(options(tmp_path, server, max_bytes=100_000)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        with pytest.raises(GitError, match="more than 100,000 bytes to fetch"):
            await repository.fetch_blobs(remote.url, [entry.id for entry in tree.entries])
    remote.configure("uploadpack.allowFilter", "false")
    text = await fails(options(tmp_path, server, max_bytes=100_000), remote.url)
    assert "more than 100,000 bytes to fetch" in text


async def test_contents_that_grow_when_unpacked_are_limited(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.configure("core.compression", "9")
    remote.commit({f"{number}.md": bytes(1_000_000 + number) for number in range(10)})
    async with GitRepository(options(tmp_path, server, max_bytes=5_000_000)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        with pytest.raises(GitError, match="more than 5,000,000 bytes together"):
            await repository.fetch_blobs(remote.url, [entry.id for entry in tree.entries])
        assert stored_bytes(temporary) < 1_000_000


async def test_trees_that_grow_when_listed_are_limited(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    tree = remote.git("hash-object", "-w", "--stdin", stdin=b"x")
    kind = "100644 blob"
    for _ in range(9):  # a thousand million files
        lines = "".join(f"{kind} {tree}\t{name}\n" for name in "0123456789")
        tree = remote.git("mktree", stdin=lines.encode())
        kind = "040000 tree"
    commit = remote.git("-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", "-m", "x", tree)
    remote.git("update-ref", "refs/heads/main", commit)
    start = time.monotonic()
    assert "more than 10,000,000" in await fails(
        options(tmp_path, server, max_bytes=10_000_000), remote.url
    )
    assert time.monotonic() - start < 10


async def test_files_are_counted(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({f"docs/{number}.md": b"" for number in range(10)})
    remote.commit({"a.md": b""})
    tree, _ = await read(options(tmp_path, server, max_files=10), remote.url, "docs")
    assert len(tree.entries) == 10
    text = await fails(options(tmp_path, server, max_files=10), remote.url)
    assert "more than 10 files" in text


async def test_long_lists_are_not_held_in_memory(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    content = remote.git("hash-object", "-w", "--stdin", stdin=b"x")
    lines = "".join(f"100644 blob {content}\t{number}{'x' * 200}.md\n" for number in range(200))
    tree = remote.git("mktree", stdin=lines.encode())
    lines = "".join(f"040000 tree {tree}\t{number}\n" for number in range(500))
    tree = remote.git("mktree", stdin=lines.encode())
    commit = remote.git("-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", "-m", "x", tree)
    refs = "".join(f"{commit} refs/heads/{number:06}/HEAD\n" for number in range(100_000))
    (remote.path / "packed-refs").write_text(f"{commit} refs/heads/main\n{refs}")
    async with GitRepository(options(tmp_path, server)) as repository:
        tracemalloc.start()
        try:
            assert await repository.read_head(remote.url, None) == commit
            assert tracemalloc.get_traced_memory()[1] < 3_000_000
            listed = await repository.fetch_tree(remote.url, None, None)
            size, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(listed.entries) == 100_000
    assert most - size < 5_000_000


async def test_20000_documents_come_in_batches(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({f"{number % 100}/{number}.md": b"# %d\n" % number for number in range(20_000)})
    server.forget()
    _, contents = await read(options(tmp_path, server), remote.url)
    assert len(contents) == 20_000
    assert contents[b"99/19999.md"] == b"# 19999\n"
    posts = [request for request in server.requests if request.path.endswith("git-upload-pack")]
    assert len(posts) < 10


# An end, whatever happens.


@both_loops
@pytest.mark.parametrize("how", ["cancelled", "timeout", "error"])
async def test_nothing_is_left(
    tmp_path: Path, server: GitServer, temporary: Path, how: str
) -> None:
    remote = server.create()
    remote.commit({"a.md": b""})
    server.behaviour.stall_after = 200
    if how == "error":
        server.behaviour.hang_up_after = 100
    seconds = 0.7 if how == "timeout" else 30.0
    start = time.monotonic()
    task = asyncio.create_task(fails(options(tmp_path, server, seconds=seconds), remote.url))
    if how == "cancelled":
        await until(lambda: len(server.requests) >= 3)
        assert processes(temporary)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        expected = {"timeout": "took longer than 0.7 s", "error": "broke off"}
        assert expected[how] in await task
    assert_nothing_is_left(temporary)
    assert time.monotonic() - start < 8


@both_loops
async def test_nothing_is_left_whenever_it_is_cancelled(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    at = options(tmp_path, server)
    start = time.monotonic()
    await read(at, remote.url)
    seconds = time.monotonic() - start
    cancelled = 0
    while cancelled < 10:
        task = asyncio.create_task(read(at, remote.url))
        await asyncio.sleep(seconds * cancelled / 10)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            cancelled += 1
        else:  # the first one, by which the others are timed, was slower
            seconds *= 0.8
        assert_nothing_is_left(temporary)


async def test_the_directory_is_private_and_gone_after_an_error_of_the_caller(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with GitRepository(options(tmp_path, server)):
            (name,) = names(temporary)
            assert name.startswith("bmadflow-sync-")
            assert (temporary / name).stat().st_mode & 0o777 == 0o700
            assert 1 / 0
    assert_nothing_is_left(temporary)


CHILD = """
import asyncio, sys, tempfile, uvloop
sys.path[:0] = {path!r}
from service.git import process as git_process
from service.git.options import GitOptions
from service.git.repository import GitRepository
git_process.STALL_SECONDS = 1
tempfile.tempdir = {temporary!r}
async def main():
    async with GitRepository(GitOptions(**{settings!r})) as repository:
        await repository.fetch_tree({url!r}, None, None)
uvloop.run(main())
"""


def test_a_kill_leaves_what_the_next_start_removes_and_no_git(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.commit({"a.md": b""})
    server.behaviour.stall_after = 200
    program = CHILD.format(
        path=[str(PROJECT)],
        temporary=str(temporary),
        settings=settings_of(tmp_path, server),
        url=remote.url,
    )
    child = subprocess.Popen([sys.executable, "-c", program])
    try:
        eventually(lambda: len(server.requests) >= 3)
        family = psutil.Process(child.pid).children(recursive=True)
        assert {process.name() for process in family} >= {"git", "git-remote-http"}
        assert remove_leftovers() == 0  # it lives
    finally:
        child.kill()
        child.wait()
    (git, *_) = family
    if git_process.git_command(1)[0].endswith("setpriv"):
        eventually(lambda: not is_running(git), 2)
    # Its helper notices when the server sends, or does not for too long.
    eventually(lambda: not any(map(is_running, family)), 10)
    assert len(list(temporary.iterdir())) == 1
    assert remove_leftovers() == 1
    assert_nothing_is_left(temporary)


def is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_leftovers_are_removed_and_nothing_else(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    leftover = temporary / "bmadflow-sync-leftover"
    (leftover / "repository/objects").mkdir(parents=True)
    (leftover / "repository/objects/pack").write_bytes(b"x")
    (leftover / "repository/objects/pack").chmod(0o400)
    (leftover / "lock").touch()
    (temporary / "bmadflow-sync-empty").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = {"other", "bmadflow-sync-file", "bmadflow-sync-link"}
    (temporary / "other").mkdir()
    (temporary / "bmadflow-sync-file").touch()
    (temporary / "bmadflow-sync-link").symlink_to(elsewhere)
    if os.geteuid() == 0:
        foreign = temporary / "bmadflow-sync-foreign"
        foreign.mkdir()
        os.chown(foreign, 65534, 65534)
        kept.add(foreign.name)
    async with GitRepository(options(tmp_path, server)):
        leftovers = {"bmadflow-sync-leftover", "bmadflow-sync-empty"}
        (live,) = names(temporary) - kept - leftovers
        assert remove_leftovers() == 2
        assert names(temporary) == {*kept, live}
        assert names(elsewhere) == set()
    assert names(temporary) == kept


def test_a_new_directory_is_never_taken_for_a_leftover(temporary: Path) -> None:
    stopping = threading.Event()

    def sweep() -> None:
        while not stopping.is_set():
            remove_leftovers()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for _ in range(300):
            folder = git_folder.TemporaryFolder()
            assert (folder.path / "lock").exists()
            (folder.path / "file").write_bytes(b"x")
            folder.remove()
    finally:
        stopping.set()
        sweeper.join()
    remove_leftovers()
    assert list(temporary.iterdir()) == []


async def test_git_outlives_a_thread_that_ends(tmp_path: Path, server: GitServer) -> None:
    """The kernel kills git with the thread that started it: that has to be the loop's."""
    remote = server.create()
    remote.commit({"a.md": b"a"})
    server.behaviour.stall_after = 200
    with ThreadPoolExecutor(1) as executor:
        asyncio.get_running_loop().set_default_executor(executor)
        task = asyncio.create_task(read(options(tmp_path, server), remote.url))
        await until(lambda: len(server.requests) >= 3)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    server.behaviour.resume.set()
    _, contents = await task
    assert contents == {b"a.md": b"a"}


# Secrets, redirects, other people's configuration.


def authorization(user: str) -> str:
    return f"Basic {b64encode(f'{user}:{TOKEN}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("token_host", "port", "user"),
    [
        ("git.example", "", "x-access-token"),
        ("GIT.example", ":443", "x-access-token"),
        ("bitbucket.org", "", "x-token-auth"),
        ("gitlab.com", "", "oauth2"),
        ("gitlab.team.example:8443", ":8443", "oauth2"),
        ("[2001:db8::1]", "", "x-access-token"),
        ("[2001:db8::1]:8443", ":8443", "x-access-token"),
    ],
)
async def test_a_token_opens_its_host(
    tmp_path: Path, server: GitServer, token_host: str, port: str, user: str
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    url = f"https://{token_host.removesuffix(':8443')}{port}/team/docs.git"
    config = tmp_path / "config"
    base = url.removesuffix("team/docs.git")
    config.write_text(f'[url "{server.url}/"]\n\tinsteadOf = {base}\n')
    server.behaviour.authorization = authorization(user)
    at = options(tmp_path, server, config_global=str(config), token=TOKEN, token_host=token_host)
    _, contents = await read(at, url)
    assert contents == {b"a.md": b"a"}
    async with GitRepository(at) as repository:
        assert await repository.read_head(url, None) == remote.head()
    assert TOKEN not in repr(at)


@pytest.mark.parametrize(
    "token_host", ["github.com", "example", "git.example.com", "git.example:8443", "", "127.0.0.1"]
)
async def test_a_token_goes_to_no_other_host(
    tmp_path: Path, server: GitServer, token_host: str
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    at = options(tmp_path, server, token=TOKEN, token_host=token_host)
    async with GitRepository(at) as repository:
        await repository.read_head(remote.url, None)
        await repository.read_head(remote.local_url, None)
    assert len(server.requests) >= 4
    assert all("authorization" not in request.headers for request in server.requests)


async def test_a_token_goes_to_nobody_without_encryption(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    host = f"127.0.0.1:{server.port}"
    await read(options(tmp_path, server, token=TOKEN, token_host=host), remote.local_url)
    assert all("authorization" not in request.headers for request in server.requests)


async def test_a_token_is_in_no_process_list_file_or_error(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    server.behaviour.stall_after = 200
    secrets = [TOKEN, authorization("x-access-token").removeprefix("Basic ")]
    at = options(tmp_path, server, token=TOKEN, token_host="git.example")

    async def fetch() -> None:
        async with GitRepository(at) as repository:
            tree = await repository.fetch_tree(remote.url, None, None)
            await repository.fetch_blobs(remote.url, [entry.id for entry in tree.entries])
            assert len(stored(temporary)) > 10
            for path in stored(temporary):
                assert not any(secret.encode() in path.read_bytes() for secret in secrets)

    task = asyncio.create_task(fetch())
    await until(lambda: len(server.requests) >= 3)
    assert server.requests[0].headers["authorization"] == authorization("x-access-token")
    assert processes(temporary)
    for process in psutil.process_iter(["cmdline"]):
        arguments = " ".join(process.info["cmdline"] or [])
        assert not any(secret in arguments for secret in secrets)
    server.behaviour.resume.set()
    await task
    server.behaviour.authorization = "Basic other"
    assert "is private" in await fails(at, remote.url)


@pytest.mark.parametrize("path", ["info/refs", "git-upload-pack"])
async def test_a_redirect_is_not_followed(tmp_path: Path, server: GitServer, path: str) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    with git_server(tmp_path / "other") as other:
        other.create().commit({"a.md": b"evil"})
        server.behaviour.redirect_to = other.url
        server.behaviour.redirect_paths = path
        at = options(tmp_path, server, token=TOKEN, token_host="git.example")
        text = await fails(at, remote.url)
        async with GitRepository(at) as repository:
            with pytest.raises(GitError, match="has moved"):
                await repository.read_head(remote.url, None)
        assert other.requests == []
    assert "has moved" in text
    assert ".git" in text


async def test_only_the_operators_configuration_counts(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        '[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://\n[http]\n\textraHeader = X-Evil: 1\n'
    )
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG": str(home / ".gitconfig"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_SYSTEM": str(home / ".gitconfig"),
        "GIT_CONFIG_PARAMETERS": "'http.extraheader=X-Evil: 1'",
        "GIT_DIR": str(tmp_path),
        "GIT_TRACE": str(tmp_path / "trace"),
        "GIT_SSH_COMMAND": "false",
        "http_proxy": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    server.behaviour.authorization = "Basic nobody"
    assert "is private" in await fails(options(tmp_path, server), remote.url)
    assert all("authorization" not in request.headers for request in server.requests)
    server.behaviour.authorization = None
    _, contents = await read(options(tmp_path, server), remote.url)
    assert contents == {b"a.md": b"a"}
    assert all("x-evil" not in request.headers for request in server.requests)
    assert not (tmp_path / "trace").exists()
    config = tmp_path / "config"
    config.write_text("[http]\n\tuserAgent = operator/1\n\tfollowRedirects = true\n")
    server.forget()
    await read(options(tmp_path, server, config_global=str(config)), remote.local_url)
    assert {request.headers["user-agent"] for request in server.requests} == {"operator/1"}


# Hostile arguments.


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch {path}",
        "-utouch {path}",
        "ext::touch {path}",
        "https::https://git.example/team/docs.git",
        "https::{local}",
        "file://{served}/team/docs.git",
        "{served}/team/docs.git",
        "ssh://git.example/team/docs.git",
        "git@git.example:team/docs.git",
        "https://user:secret@git.example/team/docs.git",
        "https:///team/docs.git",
        "https://[::1/team/docs.git",
        "https://git.example:x/team/docs.git",
        "",
    ],
)
async def test_what_is_no_url_starts_nothing(tmp_path: Path, server: GitServer, url: str) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    path = tmp_path / "touched"
    url = url.format(path=path, served=server.folder, local=remote.local_url)
    at = options(tmp_path, server)
    assert "not the URL" in await fails(at, url)
    async with GitRepository(at) as repository:
        with pytest.raises(GitError, match="not the URL"):
            await repository.read_head(url, None)
        with pytest.raises(GitError, match="not the URL"):
            await repository.fetch_blobs(url, ["1" * 40])
    assert not path.exists()
    assert server.requests == []


async def test_no_protocol_but_those_that_are_allowed(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    at = options(tmp_path, server, protocols=("https",))
    assert "kind that is not supported" in await fails(at, remote.url)
    assert "not the URL" in await fails(at, remote.local_url)
    assert server.requests == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:7f00:1]"]
)
async def test_a_private_address_is_refused(tmp_path: Path, server: GitServer, host: str) -> None:
    server.create().commit({"a.md": b"a"})
    at = options(tmp_path, server, private_networks=False)
    url = f"http://{host}:{server.port}/team/docs.git"
    assert "not on the public internet" in await fails(at, url)
    async with GitRepository(at) as repository:
        with pytest.raises(GitError, match="not on the public internet"):
            await repository.read_head(url, None)
    assert server.requests == []


async def test_git_connects_to_the_address_that_was_checked(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if docs.invalid were 127.0.0.1 and that were public: nobody else knows the name."""
    remote = server.create()
    remote.commit({"a.md": b"a"})
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> str:
        await asyncio.sleep(0)
        asked.append((host, port))
        return f"*:{port}:127.0.0.1"

    monkeypatch.setattr("service.git.runner.resolve_public", resolve)
    at = options(tmp_path, server, private_networks=False)
    url = f"http://docs.invalid:{server.port}/team/docs.git"
    _, contents = await read(at, url)
    assert contents == {b"a.md": b"a"}
    assert asked == [("docs.invalid", server.port)]
    assert "is unknown" in await fails(options(tmp_path, server), url)


def test_git_runs_without_util_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("git", "setpriv"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")  # BusyBox's setpriv has no --pdeathsig
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_process.git_command(1) == [str(tmp_path / "git")]


def test_the_environment_is_nothing_but_what_git_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    variables = git_process.git_environment(
        protocols=("https",), config_global=None, configuration={"http.extraHeader": "A: b"}
    )
    assert {name for name in variables if not re.fullmatch(r"GIT_CONFIG_\w+_\d+", name)} == {
        "PATH",
        "HOME",
        "LC_ALL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_GLOBAL",
        "GIT_TERMINAL_PROMPT",
        "GIT_ASKPASS",
        "GIT_ALLOW_PROTOCOL",
        "GIT_NO_LAZY_FETCH",
        "GIT_LITERAL_PATHSPECS",
        "GIT_CONFIG_COUNT",
    }
    count = int(variables["GIT_CONFIG_COUNT"])
    pairs = {
        variables[f"GIT_CONFIG_KEY_{number}"]: variables[f"GIT_CONFIG_VALUE_{number}"]
        for number in range(count)
    }
    assert pairs["http.extraHeader"] == "A: b"
    assert pairs["http.followRedirects"] == "false"
    assert pairs["fetch.fsckObjects"] == "true"
    assert f"GIT_CONFIG_KEY_{count}" not in variables


async def test_where_the_operator_s_file_is_is_told_to_nobody(
    tmp_path: Path, server: GitServer
) -> None:
    config = tmp_path / "broken.gitconfig"
    config.write_text("[nonsense\n")
    async with GitRepository(options(tmp_path, server, config_global=str(config))) as repository:
        with pytest.raises(GitError) as raised:
            await repository.read_head("https://git.example/team/docs", None)
    assert str(tmp_path) not in str(raised.value)
