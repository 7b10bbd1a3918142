"""The tree of a project's documents, as front ends show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Node: TypeAlias = dict[str, Any]


class Source(NamedTuple):
    """A documentation source that has documents."""

    id: object
    name: str


class File(NamedTuple):
    """A document: `path` is the one in its repository, `size` is in bytes."""

    source_id: object
    id: object
    path: str
    file_type: str
    size: int


def build_file_tree(sources: Sequence[Source], files: Iterable[File]) -> list[Node]:
    """Return the nodes of the tree: folders first, then by name.

    With several sources each is a folder of its own at the top, by its name, so that every document
    stands once, under its source. The path of a node is unique in the tree, for front ends take it
    as an id of folders, and what it is relative to is the same for all of a source's documents, so
    that relative links between them can be followed.
    """
    tops = _name_sources(sources) if len(sources) > 1 else {}
    # The children of each folder, by its path.
    children: dict[str, list[Node]] = {}
    root = [_folder(*tops[source.id], children) for source in sources if tops]
    for file in files:
        top = tops.get(file.source_id)
        path = file.path if top is None else f"{top.path}/{file.path}"
        folder, _, name = path.rpartition("/")
        siblings = _children_of(folder, root, children) if folder else root
        siblings.append(
            {
                "type": "file",
                "id": str(file.id),
                "name": name,
                "path": path,
                "file_type": file.file_type,
                "size": file.size,
            }
        )
    for nodes in (root, *children.values()):
        nodes.sort(key=_order)
    return root


class Top(NamedTuple):
    """The folder of a source: what people and what programs know it by."""

    name: str
    path: str


def _name_sources(sources: Sequence[Source]) -> dict[object, Top]:
    tops: dict[object, Top] = {}
    taken: set[str] = set()
    for source in sources:
        name, number = source.name, 2
        # A segment that is no way up or to itself, for whoever follows links between documents.
        while (path := name.replace("/", "-")) in taken or path in (".", ".."):
            name = f"{source.name} ({number})"
            number += 1
        taken.add(path)
        tops[source.id] = Top(name, path)
    return tops


def _children_of(path: str, root: list[Node], children: dict[str, list[Node]]) -> list[Node]:
    missing: list[str] = []
    while path and path not in children:
        path, _, name = path.rpartition("/")
        missing.append(name)
    siblings = children[path] if path else root
    for name in reversed(missing):
        path = f"{path}/{name}" if path else name
        siblings.append(_folder(name, path, children))
        siblings = children[path]
    return siblings


def _folder(name: str, path: str, children: dict[str, list[Node]]) -> Node:
    children[path] = []
    return {"type": "folder", "name": name, "path": path, "children": children[path]}


def _order(node: Node) -> tuple[bool, str, str]:
    # As people look for names; those that differ in case only always in the same order.
    return node["type"] == "file", node["name"].casefold(), node["name"]
