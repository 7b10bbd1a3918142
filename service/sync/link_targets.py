"""What the links of a source's documents may lead to: paths of the repository, and anchors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from service.database.database import Connection
    from service.git.objects import Entry

# Documents whose anchors one statement reads.
ANCHORS_PER_STATEMENT: Final = 1_000


class KnownPaths:
    """The paths of a repository that links may lead to, of which a run knows one folder.

    `in` is true for a path that the folder has, and for each outside of it.
    """

    def __init__(self, folder: str | None, found: Collection[str]) -> None:
        self._prefix = "" if folder is None else f"{folder}/"
        self._found = found

    def __contains__(self, path: object) -> bool:
        assert isinstance(path, str)
        return path in self._found or not path.startswith(self._prefix)


def find_paths(entries: Iterable[Entry], wanted: Collection[str]) -> set[str]:
    """Return those of the wanted paths that files and folders have."""
    found: set[str] = set()
    last_folder = ""
    for entry in entries:
        path = entry.path.decode(errors="replace")
        if path in wanted:
            found.add(path)
        folder = path.rpartition("/")[0]
        if folder != last_folder:
            known, last_folder = f"{last_folder}/", folder
            while folder and not known.startswith(f"{folder}/"):
                if folder in wanted:
                    found.add(folder)
                folder = folder.rpartition("/")[0]
    if found or last_folder:
        found.add("")  # the repository itself
    return found


async def read_anchors(
    transaction: Connection, source_id: UUID, paths: Sequence[str]
) -> dict[str, Collection[str]]:
    """Return the anchors of Markdown documents, by path."""
    anchors: dict[str, Collection[str]] = {}
    for start in range(0, len(paths), ANCHORS_PER_STATEMENT):
        rows = await transaction.fetch(
            """
            select file_path,
                   array(select jsonb_path_query(doc_metadata, '$.headings[*].anchor') #>> '{}')
                   || array(select jsonb_array_elements_text(doc_metadata -> 'anchors'))
            from document
            where project_doc_id = $1 and file_type = 'md' and file_path = any($2)
            """,
            source_id,
            paths[start : start + ANCHORS_PER_STATEMENT],
        )
        anchors |= {path: frozenset(found) for path, found in rows}
    return anchors
