"""What a run changed: the stories that it found different, and the row that records all of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from service.bmad.identity import fold_id, fold_slug
from service.bmad.titles import title_of_name
from service.bmad.work_items import stem_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from service.bmad.board import StoryRow
    from service.database.database import Connection
    from service.git.objects import Tree
    from service.sync.changes import Moves
    from service.sync.claims import Claim
    from service.sync.results import Counts

# The changes that a row of `activity` lists, of each kind, and the rows that are kept of a source.
MAX_LISTED: Final = 1_000
ACTIVITIES_KEPT: Final = 100

T = TypeVar("T")


class StoredStory(NamedTuple):
    """A story as the run before left it: columns of the table `story`."""

    key: str
    place: str
    id: str
    title: str
    path: str | None
    status: str


class StoryChange(NamedTuple):
    """A story that is new, gone, or of another status than before the run.

    `before` is None for a new one, `after` for one that is gone. `path` is None without a file, and
    of a story that is gone it is the former one.
    """

    id: str
    title: str
    path: str | None
    before: str | None
    after: str | None


def find_story_changes(
    before: Iterable[StoredStory], after: Sequence[StoryRow], moves: Moves
) -> list[StoryChange]:
    """Return the changes of stories: those of another status, then new ones, then those gone.

    Each kind in the order in which the stories are given. A story stays the same one while its key
    does, where the document that the key names moves and its id or its title stays, and else where
    one story with its id came and one went in the same tree: a file that is new for a tracker's
    key, or renamed and rewritten.
    """
    left = {story.key: story for story in before}
    known: dict[str, StoredStory] = {}

    def match(row: StoryRow, key: str | None, *, is_moved: bool = False) -> None:
        if key in left and not (is_moved and _is_another(row, left[key])):
            known[row.key] = left.pop(key)

    # Moved documents first: where two exchange their paths, each path has the other's story.
    for row in after:
        path, tab, name = row.key.partition("\t")
        if path in moves:
            match(row, f"{moves[path]}{tab}{name}", is_moved=True)
    for row in after:
        if row.key not in known:
            match(row, row.key)
    gone = _find_unique((story.place, story.id, story.key) for story in left.values())
    came = _find_unique((row.place, row.id, row) for row in after if row.key not in known)
    for name, row in came.items():
        match(row, gone.get(name))

    changed: list[StoryChange] = []
    new: list[StoryChange] = []
    for row in after:
        story = known.get(row.key)
        if story is None:
            new.append(StoryChange(row.id, row.title, row.file_path, None, row.status))
        elif story.status != row.status:
            changed.append(StoryChange(row.id, row.title, row.file_path, story.status, row.status))
    lost = (
        StoryChange(story.id, story.title, story.path, story.status, None)
        for story in left.values()
    )
    return [*changed, *new, *lost]


def _is_another(row: StoryRow, story: StoredStory) -> bool:
    """Return whether the file of a story moved to that of another one, as git takes it.

    Stories of one template are so similar that a new one may be taken for one that went. A title
    that only the name of a file makes says nothing.
    """
    if fold_id(row.id) == fold_id(story.id) or fold_slug(row.title) == fold_slug(story.title):
        return False
    titles = ((row.title, row.file_path), (story.title, story.path))
    return any(path and title != title_of_name(stem_of(path)) for title, path in titles)


def _find_unique(stories: Iterable[tuple[str, str, T]]) -> dict[tuple[str, str], T]:
    """Return what is given with a place and an id, by tree and id where no other has both."""
    found: dict[tuple[str, str], list[T]] = {}
    for place, story_id, value in stories:
        if name := fold_id(story_id):
            tree = place.partition("\t")[0]
            found.setdefault((tree, name), []).append(value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


async def write_activity(
    transaction: Connection,
    claim: Claim,
    *,
    counts: Counts,
    documents: Sequence[Mapping[str, str | None]],
    stories: Sequence[StoryChange],
    tree: Tree,
) -> None:
    """Record what a run changed, and delete older records than the newest of the source."""
    await transaction.execute(
        """
        insert into activity
            (run_id, project_doc_id, at, commit_id, committed_at, added, changed, moved, removed,
             documents, statuses)
        values ($1, $2, clock_timestamp(), $3, $4, $5, $6, $7, $8, $9::text::jsonb,
                $10::text::jsonb)
        """,
        claim.run_id,
        claim.source_id,
        tree.commit,
        tree.commit_date,
        counts.added,
        counts.changed,
        counts.moved,
        counts.removed,
        json.dumps(documents[:MAX_LISTED]),
        json.dumps(
            [
                {
                    "id": each.id,
                    "title": each.title,
                    "path": each.path,
                    "from": each.before,
                    "to": each.after,
                }
                for each in stories[:MAX_LISTED]
            ]
        ),
    )
    await transaction.execute(
        """
        delete from activity
        where run_id in (
            select run_id
            from activity
            where project_doc_id = $1
            order by at desc
            offset $2
        )
        """,
        claim.source_id,
        ACTIVITIES_KEPT,
    )
