"""Which past files belong together."""

from datetime import UTC, datetime

import pytest

from service.bmad.past_facts import Fact
from service.bmad.past_record import CommitRow, FactRow, Record
from service.bmad.past_trees import PastTrees
from service.bmad.readings import Reading
from service.bmad.trees import find_trees
from tests.bmad.made import epic, epics, sprint, story, tickets

GONE_TRACKER = FactRow(
    0, "apps/api/docs/sprint-status.yaml", "1-1-a", Fact("key", "done"), blob_id=None
)
RECORD = Record([CommitRow(0, "c0", datetime(2026, 1, 1, tzinfo=UTC), False)], [GONE_TRACKER])
NOW: dict[str, Reading] = {
    "docs/sprint-status.yaml": sprint({"9-1-z": "done"}),
    "pm/sprint-status.yaml": sprint({"1-1-a": "done"}),
    "apps/web/docs/stories/1.1.a.md": story("1.1"),
    "apps/web/docs/epics.md": epics(epic("1")),
    "out/shop/backlog/tickets.toml": tickets(),
    "out/shop/story-a.md": story(),
}


@pytest.mark.parametrize(
    ("path", "tree"),
    [
        # As the board has them.
        ("pm/sprint-status.yaml", "apps/web"),
        ("out/shop/backlog/tickets.toml", "out/shop/backlog"),
        ("out/shop/story-a.md", ""),
        # Files that are gone, beside files that there are.
        ("apps/web/docs/stories/archive/1.2.b.md", "apps/web"),
        ("apps/web/packages/docs/stories/1.2.b.md", "apps/web"),
        ("out/shop/backlog/bug-a.md", "out/shop/backlog"),
        # And those of folders that are gone.
        ("apps/api/docs/stories/1.1.a.md", "apps/api"),
        ("apps/app/docs/stories/1.1.a.md", ""),
    ],
)
def test_past_files_are_of_the_trees_of_now(path: str, tree: str) -> None:
    assert PastTrees(RECORD, NOW, find_trees(NOW)).tree_of(path) == tree


def test_without_documents_only_trackers_make_trees() -> None:
    trees = PastTrees(RECORD, {}, {})
    assert trees.tree_of("apps/api/docs/stories/1.1.a.md") == "apps/api"
    assert trees.tree_of("apps/web/docs/stories/1.1.a.md") == ""


def test_ids_are_those_that_the_epics_of_now_make_of_them() -> None:
    fact = Fact("story", "done", "10.1.5", "10.1", "5")
    assert PastTrees(RECORD, {}, {}).key_file("docs/stories/a.md", fact).name.epic == "10.1"
    readings: dict[str, Reading] = {"docs/epics.md": epics(epic("10"))}
    trees = PastTrees(RECORD, readings, find_trees(readings))
    assert trees.key_file("docs/stories/a.md", fact).name.epic == "10"
    assert trees.name_of_key("", "10-1-5-a").epic == "10"
