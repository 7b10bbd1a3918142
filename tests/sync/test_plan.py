from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.git.errors import GitError
from service.git.objects import Entry
from service.sync.changes import find_moves, list_changes
from service.sync.paths import MAX_PATH_BYTES, MAX_PATH_FOLDERS
from service.sync.plan import (
    FILES_ALLOWED_FOR,
    FOLDERS_PER_FILE,
    PATH_BYTES_PER_FILE,
    StoredFile,
    WantedFile,
    choose_files,
    compare,
)
from tests.support.git_server import LFS_POINTER, Link, Submodule
from tests.support.hub import Hub, counts
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENTS = "select file_path, content from document order by 1"
PATHS = [f"{letter}.md" for letter in "abcdef"]
BLOBS = [f"blob {number}" for number in range(5)]  # fewer, so that contents move and repeat

wanted_files = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(BLOBS)).map(
    lambda blobs: [WantedFile(path, "md", blob) for path, blob in blobs.items()]
)
stored_files = st.dictionaries(
    st.sampled_from(PATHS), st.sampled_from(BLOBS).map(lambda blob: StoredFile(blob, 7))
)
refusals = st.dictionaries(st.sampled_from(BLOBS), st.just("contains NUL bytes"))


def blobs_of(stored: Mapping[str, StoredFile]) -> dict[str, str]:
    return {path: file.blob_id for path, file in stored.items()}


@given(wanted_files, stored_files, refusals, st.booleans())
def test_a_file_is_read_skipped_or_stored_as_it_is(
    wanted: list[WantedFile],
    stored: dict[str, StoredFile],
    refused: dict[str, str],
    read_all: bool,
) -> None:
    plan = compare(wanted, stored, refused, read_all=read_all)
    skipped = {file.path for file in plan.skipped}
    read = {file.path for file in plan.to_read}
    assert not skipped & read
    for path, _, blob in wanted:
        is_refused = blob in refused and not read_all
        assert (path in skipped) == is_refused
        is_stored = path in stored and stored[path].blob_id == blob
        assert (path in read) == (not is_refused and (read_all or not is_stored))
    assert all(file.reason == refused[file.blob_id or ""] for file in plan.skipped)


@given(wanted_files, stored_files, refusals, st.booleans())
def test_each_content_that_is_read_comes_from_one_place(
    wanted: list[WantedFile],
    stored: dict[str, StoredFile],
    refused: dict[str, str],
    read_all: bool,
) -> None:
    plan = compare(wanted, stored, refused, read_all=read_all)
    fetched, copied = set(plan.to_fetch), {file.blob_id for file in plan.to_copy.values()}
    assert fetched | copied == {file.blob_id for file in plan.to_read}
    assert not fetched & set(blobs_of(stored).values())
    assert plan.to_copy.items() <= stored.items()
    assert len(copied) == len(plan.to_copy)


@given(wanted_files, stored_files, refusals, st.booleans(), st.sets(st.sampled_from(BLOBS)))
def test_a_run_leaves_the_wanted_files_that_can_be_shown(
    wanted: list[WantedFile],
    stored: dict[str, StoredFile],
    refused: dict[str, str],
    read_all: bool,
    unreadable: set[str],
) -> None:
    plan = compare(wanted, stored, refused, read_all=read_all)
    read = [file for file in plan.to_read if file.blob_id not in unreadable]
    hidden = {file.path for file in plan.skipped}
    hidden |= {file.path for file in plan.to_read if file.blob_id in unreadable}
    shown = {file.path: file.blob_id for file in wanted if file.path not in hidden}
    moves = find_moves(shown, stored)
    counts, removed = list_changes(shown, stored, moves)

    # As move_files, write_files and remove_files do, with the old path for the id.
    ids = {path: path for path in stored if path not in moves.values()}
    assert not ids.keys() & moves.keys()
    ids |= moves
    after = {path: stored[old] for path, old in ids.items()}
    after |= {file.path: StoredFile(file.blob_id, 7) for file in read}
    for path in removed:
        del after[path]
    assert blobs_of(after) == shown
    assert all(shown[new] == stored[old].blob_id for new, old in moves.items())
    assert len(set(moves.values())) == len(moves) == counts.moved
    assert counts.added == len(after.keys() - ids.keys())
    assert counts.removed == len(removed) == len(stored) - len(after) + counts.added
    kept = {path for path in after if ids.get(path) == path}
    changed = {path for path in kept if after[path].blob_id != stored[path].blob_id}
    assert (counts.changed, counts.unchanged) == (len(changed), len(kept) - len(changed))
    assert sum(counts) - counts.removed == len(after)

    known = dict.fromkeys(unreadable, "is not valid UTF-16") | ({} if read_all else refused)
    again = compare(wanted, after, known, read_all=False)
    assert again.to_read == again.to_fetch == []


def test_skipped_files_are_listed_with_reasons(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit(
        {
            b"ok.md": b"fine",
            b"passwd.md": Link(b"/etc/passwd"),
            b"latest": Link(b"docs"),
            b"nul.md": b"a\0b",
            b"koi8.md": "\u043f\u0440\u0438\u0432\u0435\u0442".encode("koi8-r"),
            b"lfs.md": LFS_POINTER,
            b"module": Submodule("1" * 40),
            b"large.json": b"[" + b"1," * 2_500_001 + b"1]",
            b"bad-\xff.md": b"x",
            b"bad-\\xff.md": b"the one of which this is the name",
            b"x" * 17 + (b"/" + b"y" * 200) * 5 + b".md": b"x",
            # Fewer than 1,024 characters, but more bytes than PostgreSQL's index takes.
            ("\u65e5" * 80 + "/").encode() * 12 + b"x.md": b"x",
            b"a/" * 101 + b"x.md": b"x",
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
        "koi8.md": reasons["koi8.md"],
        "lfs.md": reasons["lfs.md"],
        "large.json": "is larger than 5 MB",
        "bad-\\xff.md": "has a name that is not valid UTF-8",
    }
    assert "NUL" in reasons["nul.md"]
    assert "UTF-8" in reasons["koi8.md"]
    assert "LFS" in reasons["lfs.md"]
    assert sorted(reasons[path] for path in reasons if len(path) > 100) == [
        "has a path of more than 1,024 bytes",
        "has a path of more than 1,024 bytes",
        "is more than 100 folders deep",
    ]
    assert run["skipped"] == len(run["skipped_files"]) == 10
    assert run["added"] == 2
    assert "root:" not in json.dumps(run_sql(hub.database, DOCUMENTS))


def test_long_paths_of_skipped_files_are_cut(hub: Hub) -> None:
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


def test_skipped_contents_are_not_fetched_again(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"nul.md": b"\0" + bytes(range(1, 256)) * 1000, "ok.md": b"1"})
    source = hub.create_source(hub.create_project(), remote)
    assert counts(hub.sync(source)) == (1, 0, 0, 0, 1)
    remote.commit({"ok.md": b"2"})
    run = hub.sync(source)
    assert counts(run) == (0, 1, 0, 0, 1)
    assert run["bytes"] < 10_000


def test_skipped_contents_come_before_links_in_a_list_that_is_cut(hub: Hub) -> None:
    remote = hub.server.create()
    links = {f"{number}.md": Link(b"a") for number in range(1000)}
    remote.commit(links | {"nul.md": b"\0" + bytes(range(1, 256)) * 1000, "ok.md": b"1"})
    source = hub.create_source(hub.create_project(), remote)
    assert counts(hub.sync(source)) == (1, 0, 0, 0, 1001)
    remote.commit({"ok.md": b"2"})
    run = hub.sync(source)
    assert counts(run) == (0, 1, 0, 0, 1001)
    assert run["bytes"] < 50_000


@pytest.mark.parametrize(
    "path",
    ["a/" * 100 + "x.md", ("d" * 200 + "/") * 5 + "x" * 16 + ".md"],
    ids=["100 folders", "1,024 bytes"],
)
def test_the_deepest_and_the_longest_allowed_path_are_in_the_file_tree(hub: Hub, path: str) -> None:
    remote = hub.server.create()
    remote.commit({path: b"x"})
    project = hub.create_project()
    for _ in range(2):  # with a second source, below that source's folder
        assert counts(hub.sync(hub.create_source(project, remote))) == (1, 0, 0, 0, 0)
        assert [name for name in hub.files(project) if name.endswith(path)]


def test_unusual_file_names_are_kept(hub: Hub) -> None:
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


def files(*paths: str) -> list[Entry]:
    return [Entry(path.encode(), "100644", "blob", "0" * 40) for path in paths]


def choose_paths(*paths: str, max_files: int = 1) -> list[str]:
    return [file.path for file in choose_files(files(*paths), max_files)[0]]


@pytest.mark.parametrize("character", ["x", "\x01", '"', "\u00e9"])
def test_the_bytes_of_paths_are_limited_as_json(character: str) -> None:
    name = character * (960 // len(character.encode()))
    paths = [f"{number:06}{name}.md" for number in range(1000)]
    size = len(json.dumps(paths[0], ensure_ascii=False).encode())
    fitting = PATH_BYTES_PER_FILE * FILES_ALLOWED_FOR // size
    assert len(choose_paths(*paths[:fitting], max_files=1000)) == fitting
    with pytest.raises(GitError, match="The paths of the documents and of their folders have more"):
        choose_paths(*paths[: fitting + 1], max_files=1000)


def test_each_folder_counts_with_its_whole_path() -> None:
    folder = "/".join(["d" * 9] * (MAX_PATH_FOLDERS - 1))
    assert len(folder) < MAX_PATH_BYTES
    # Each of these has a hundred folders of its own, with 50 KB of paths.
    paths = [f"{number}/{folder}/a.md" for number in range(6)]
    assert choose_paths(*paths, max_files=100) == paths
    with pytest.raises(GitError, match="320,000 bytes together"):
        choose_paths(*paths, f"7/{folder}/a.md", max_files=100)
    # In the same folders they have little more than their own.
    paths = [f"{folder}/{number}.md" for number in range(200)]
    assert choose_paths(*paths, max_files=200) == paths


def test_folders_are_limited_by_number() -> None:
    most = FOLDERS_PER_FILE * FILES_ALLOWED_FOR
    paths = [f"{number}/a/b/c.md" for number in range(most // 3)]
    assert choose_paths(*paths, max_files=most) == paths
    more = [f"{number}/a/b/c.md" for number in range(most // 3 + 1)]
    with pytest.raises(GitError, match="in more than 2,000 folders"):
        choose_paths(*more, max_files=1000)


def test_more_documents_may_have_more_folders_and_longer_paths() -> None:
    paths = [f"{number}/{'x' * 400}/c.md" for number in range(1100)]
    with pytest.raises(GitError):
        choose_paths(*paths, max_files=1100)
    assert choose_paths(*paths, max_files=3000) == paths


def test_files_that_are_no_documents_count_nothing() -> None:
    paths = [f"{number}/{'x' * 900}/logo.png" for number in range(5000)]
    assert choose_paths(*paths, "a.md") == ["a.md"]


def test_a_refused_run_leaves_the_documents_as_they_were(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"# A\n"})
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    blob = remote.git("hash-object", "-w", "--stdin", stdin=b"# B\n")
    tree = remote.git("mktree", stdin=f"100644 blob {blob}\ta.md\n".encode())
    for _ in range(97):
        tree = remote.git("mktree", stdin=f"040000 tree {tree}\t{'d' * 9}\n".encode())
    lines = "".join(f"040000 tree {tree}\t{number}\n" for number in range(20_000))
    remote.commit_tree(remote.git("mktree", stdin=lines.encode()))
    run = hub.sync(source)
    assert run["error"] == (
        "The list of the folder's files has more than 128 MB: name a folder that has less."
    )
    lines = "".join(f"040000 tree {tree}\t{number}\n" for number in range(1000))
    remote.commit_tree(remote.git("mktree", stdin=lines.encode()))
    run = hub.sync(source)
    assert run["error"] == (
        "The paths of the documents and of their folders have more than 16,000,000 bytes together: "
        "name a folder, or raise SYNC_MAX_FILES."
    )
    assert run_sql(hub.database, DOCUMENTS) == [("a.md", "# A\n")]


def test_paths_that_no_document_may_have_are_cut_in_the_list_of_skipped_files() -> None:
    paths = [b"\xff" * 60 + b".md", b"\xff" * 40 + b".md", b"x/" * 700 + b"a.md"]
    paths += [b"y" * 900 + b"/.git/a.md", b"z" * 197 + b".md", b"\xc3\xa9\xff.md"]
    entries = [Entry(path, "100644", "blob", "0" * 40) for path in paths]
    wanted, skipped = choose_files(entries, 10)
    assert [file.path for file in wanted] == ["z" * 197 + ".md"]
    assert [file.path for file in skipped.files] == [
        "\\xff" * 50 + "…",
        "\\xff" * 40 + ".md",
        "x/" * 100 + "…",
        "y" * 900 + "/.git/a.md",
        "é\\xff.md",
    ]
