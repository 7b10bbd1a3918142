from __future__ import annotations

import json
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import pytest

from service.documents import tree as tree_module
from service.documents.tree import PIECE, FileTree, TreeSource, arrange_sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ONE = [TreeSource(1, "Planning")]
TWO = [TreeSource(1, "Planning"), TreeSource(2, "Code")]


class File(NamedTuple):
    source: int
    path: str


def file(path: str, source: int = 1) -> File:
    return File(source, path)


def make_tree(sources: Sequence[TreeSource], files: Iterable[File]) -> FileTree:
    tree, found = FileTree("the project"), list(files)
    for source, top in arrange_sources(sources):
        tree.add((path, "an id", "md", 7) for source_id, path in found if source_id == source.id)
        tree.end_source(top)
    return tree


def build_file_tree(sources: Sequence[TreeSource], files: Iterable[File]) -> list[dict[str, Any]]:
    """Return the top nodes of the tree."""
    with closing(make_tree(sources, files)) as tree:
        document = json.loads(b"".join(tree.pieces()))
    assert list(document) == ["project_id", "tree"]
    assert document["project_id"] == "the project"
    return document["tree"]


def paths(nodes: list[dict[str, Any]]) -> list[object]:
    """The paths of all nodes; a folder's is followed by the list of its children's."""
    found: list[object] = []
    for node in nodes:
        found.append(node["path"])
        if node["type"] == "folder":
            found.append(paths(node["children"]))
    return found


def test_nodes_have_the_fields_that_front_ends_show() -> None:
    assert build_file_tree(ONE, [file("docs/prd.md")]) == [
        {
            "type": "folder",
            "name": "docs",
            "path": "docs",
            "children": [
                {
                    "type": "file",
                    "id": "an id",
                    "name": "prd.md",
                    "path": "docs/prd.md",
                    "file_type": "md",
                    "size": 7,
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        (["b.md", "a.md"], ["a.md", "b.md"]),
        (["a.md", "z/a.md"], ["z", ["z/a.md"], "a.md"]),
        (["B.md", "a.md", "C.md"], ["a.md", "B.md", "C.md"]),
        (["A.md", "a.md"], ["A.md", "a.md"]),
        (["a/b/c/d.md"], ["a", ["a/b", ["a/b/c", ["a/b/c/d.md"]]]]),
        (
            ["a/x.md", "ab/x.md", "a/b/x.md"],
            ["a", ["a/b", ["a/b/x.md"], "a/x.md"], "ab", ["ab/x.md"]],
        ),
        (["a.md/b.md", "a.md2"], ["a.md", ["a.md/b.md"], "a.md2"]),
        (["children/x.md", "path/x.md"], ["children", ["children/x.md"], "path", ["path/x.md"]]),
        (["new\nline/'\".md"], ["new\nline", ["new\nline/'\".md"]]),
        (["A/x.md", "a/x.md", "A/y.md"], ["A", ["A/x.md", "A/y.md"], "a", ["a/x.md"]]),
        (["\x02/x.md", "\x01.md"], ["\x02", ["\x02/x.md"], "\x01.md"]),
        (["\u00df.md", "ss.md", "SS.md", "st.md"], ["SS.md", "ss.md", "\u00df.md", "st.md"]),
    ],
)
def test_folders_come_first_then_names_regardless_of_case(
    given: list[str], expected: list[object]
) -> None:
    assert paths(build_file_tree(ONE, [file(path) for path in given])) == expected


def test_each_of_several_sources_is_a_folder() -> None:
    tree = build_file_tree(TWO, [file("docs/a.md"), file("b.md"), file("a.md", 2)])
    planning = ["Planning/docs", ["Planning/docs/a.md"], "Planning/b.md"]
    assert paths(tree) == ["Code", ["Code/a.md"], "Planning", planning]


def test_the_same_path_in_two_sources_is_two_nodes() -> None:
    tree = build_file_tree(TWO, [file("a.md", 1), file("a.md", 2)])
    assert paths(tree) == ["Code", ["Code/a.md"], "Planning", ["Planning/a.md"]]


def test_paths_are_unique_where_source_names_are_not() -> None:
    sources = [TreeSource(1, "A/B"), TreeSource(2, "A-B"), TreeSource(3, "A-B")]
    tree = build_file_tree(sources, [file("x.md", 1), file("x.md", 2), file("x.md", 3)])
    assert [node["name"] for node in tree] == ["A-B (2)", "A-B (3)", "A/B"]
    found = [node["path"] for node in tree] + [node["children"][0]["path"] for node in tree]
    assert len(set(found)) == 6


@pytest.mark.parametrize("name", [".", ".."])
def test_a_source_named_like_a_relative_path_segment_is_renamed(name: str) -> None:
    files = [file("a.md", 1), file("a.md", 2)]
    tree = build_file_tree([TreeSource(1, name), TreeSource(2, "x")], files)
    assert paths(tree)[0] == f"{name} (2)"


def deep_files(count: int) -> list[File]:
    """Files whose folders' paths are in the JSON a hundred times."""
    return [file(f"d{number}/{'folder-xxx/' * 90}x.md") for number in range(count)]


def test_a_tree_is_kept_small_and_written_in_pieces() -> None:
    with closing(make_tree(ONE, deep_files(300))) as tree:
        sizes = [len(piece) for piece in tree.pieces()]
        assert sum(sizes) > 15_000_000
        assert tree.kept < 400_000
    # The piece is full with the nodes of one document: its folders, and its files.
    assert max(sizes) < PIECE + 70_000


def test_many_files_of_one_folder_are_several_pieces() -> None:
    folder = "f" * 900
    with closing(make_tree(ONE, [file(f"{folder}/{n}.md") for n in range(2000)])) as tree:
        sizes = [len(piece) for piece in tree.pieces()]
        assert sum(sizes) > 1_900_000
        assert tree.kept < 500_000
    assert max(sizes) < 6 * PIECE


def test_a_tree_that_is_kept_compressed_is_the_same_for_all_readers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = [*TWO, TreeSource(3, "Code")]
    files = [file(f"area {n % 7}/\u00e9 {n}.md", n % 3 + 1) for n in range(500)]
    expected = b"".join(make_tree(sources, files).pieces())
    monkeypatch.setattr(tree_module, "PLAIN_KEPT", 10_000)
    monkeypatch.setattr(tree_module, "BLOCK", 5000)
    monkeypatch.setattr(tree_module, "PIECE", 2000)
    monkeypatch.setattr(tree_module, "FILES_AT_ONCE", 10)
    for compressed_kept in (1000, 1_000_000):  # on the disk, and in memory
        monkeypatch.setattr(tree_module, "COMPRESSED_KEPT", compressed_kept)
        with closing(make_tree(sources, files)) as tree:
            read = list(zip_longest(tree.pieces(), tree.pieces(), fillvalue=b""))
            assert len(read) > 10
            assert b"".join(piece for piece, _ in read) == expected
            assert b"".join(piece for _, piece in read) == expected
            assert tree.kept < len(expected) / 2


def test_a_disk_that_is_full_is_reported_at_the_end_of_a_source_and_not_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PLAIN_KEPT", "BLOCK"):
        monkeypatch.setattr(f"service.documents.tree.{name}", 1)
    full = Path("/dev/full").open("r+b")  # noqa: SIM115 - the tree closes it

    def open_full(**_: object) -> IO[bytes]:
        return full

    monkeypatch.setattr("service.documents.tree.SpooledTemporaryFile", open_full)
    tree = FileTree("p")
    tree.add([("a.md", "1", "md", 1)])
    with pytest.raises(OSError, match="No space left"):
        tree.end_source(None)
    tree.close()
