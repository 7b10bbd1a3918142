from __future__ import annotations

from typing import Any

import pytest

from service.documents.tree import TreeFile, TreeSource, build_file_tree

ONE = [TreeSource(1, "Planning")]
TWO = [TreeSource(1, "Planning"), TreeSource(2, "Code")]


def file(path: str, source: int = 1) -> TreeFile:
    return TreeFile(source, f"id of {path}", path, "md", 7)


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
                    "id": "id of docs/prd.md",
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
    tree = build_file_tree([TreeSource(1, name), TreeSource(2, "x")], [file("a.md", 1)])
    assert paths(tree)[0] == f"{name} (2)"
