"""The tree of a project's documents: nested nodes, in the order in which front ends show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Node: TypeAlias = dict[str, Any]


class TreeSource(NamedTuple):
    """A source that has documents."""

    id: object
    name: str


class TreeFile(NamedTuple):
    """A document: `path` begins at its repository's root, `size` is in bytes."""

    source_id: object
    id: object
    path: str
    file_type: str
    size: int


def build_file_tree(sources: Sequence[TreeSource], files: Iterable[TreeFile]) -> list[Node]:
    """Return the top nodes of the tree. In each folder, folders come before files, then by name.

    Of several sources, each is a folder at the top, so that every document stands once, under its
    source. A node's path is unique in the tree, because front ends use it as a folder's id. All
    documents of a source have the same prefix before their paths in the repository, so that
    relative links between them can be followed.
    """
    tops = _top_folders(sources) if len(sources) > 1 else {}
    # Each folder's children, by the folder's path.
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
        nodes.sort(key=_sort_key)
    return root


class TopFolder(NamedTuple):
    """The folder of a source: the name to show, and the path."""

    name: str
    path: str


def _top_folders(sources: Sequence[TreeSource]) -> dict[object, TopFolder]:
    tops: dict[object, TopFolder] = {}
    taken: set[str] = set()
    for source in sources:
        name, number = source.name, 2
        # Not . or .., which a reader that follows relative links would resolve away.
        while (path := name.replace("/", "-")) in taken or path in (".", ".."):
            name = f"{source.name} ({number})"
            number += 1
        taken.add(path)
        tops[source.id] = TopFolder(name, path)
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


def _sort_key(node: Node) -> tuple[bool, str, str]:
    # Case-insensitively; the name itself keeps names that differ in case in a stable order.
    return node["type"] == "file", node["name"].casefold(), node["name"]
