"""What all stored documents of a source say of the work, as a run reads it to make the board."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import orjson

from service.sync.in_thread import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from service.bmad.readings import Link, Reading
    from service.database.database import Connection, Row


class StoredReadings(NamedTuple):
    """The readings of documents, by path and without their links; `wanted` is what links lead to.

    `with_fragment` are those of the wanted paths that a link names an anchor of, and `with_links`
    the rows of documents that have links. `trees` has the tree of each document that says something
    of the work, for the board and for the history.
    """

    by_path: dict[str, Reading]
    trees: Mapping[str, str]
    wanted: set[str]
    with_fragment: set[str]
    with_links: Sequence[Row]

    def links(self) -> Iterator[tuple[str, Sequence[Link]]]:
        """Yield the links of each document that has some.

        They are parsed again one by one: the links of a large source would take 100 MB.
        """
        for path, reading_json in self.with_links:
            yield path, orjson.loads(reading_json)["links"]


async def read_readings(transaction: Connection, source_id: UUID) -> StoredReadings:
    """Return what the documents of a source say, as they were written."""
    rows = await transaction.fetch(
        """
        select file_path, reading::text
        from document
        where project_doc_id = $1 and reading is not null
        order by file_path
        """,
        source_id,
    )
    return await run_in_thread(transaction, partial(_parse, rows))


def _parse(rows: Sequence[Row]) -> StoredReadings:
    # Imported here, for a run that changes nothing does not need it.
    from service.bmad.trees import find_trees

    by_path: dict[str, Reading] = {}
    wanted: set[str] = set()
    with_fragment: set[str] = set()
    with_links: list[Row] = []
    for row in rows:
        path, reading_json = row
        reading: Reading = orjson.loads(reading_json)
        if links := reading.pop("links", ()):
            with_links.append(row)
        for link in links:
            if link["path"] is not None:
                wanted.add(link["path"])
                if link["fragment"]:
                    with_fragment.add(link["path"])
        if reading:
            by_path[path] = reading
    return StoredReadings(by_path, find_trees(by_path), wanted, with_fragment, with_links)
