"""Rows with the ids of the OpenAPI examples, and paths that name them."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from service.schemas.activity import EXAMPLE_ACTIVITY
from service.schemas.epics import EXAMPLE_EPIC
from service.schemas.example_ids import (
    EXAMPLE_DOCUMENT_ID,
    EXAMPLE_PROJECT_ID,
    EXAMPLE_RUN_ID,
    EXAMPLE_SOURCE_ID,
)
from service.schemas.problems import EXAMPLE_WORK_PROBLEM
from service.schemas.stories import EXAMPLE_STORY
from tests.support.board import PROBLEM, STORY, Board, Work
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

WORK_TABLES = ("story", "epic", "problem", "source_progress", "activity")
EPIC_FIELDS = ("id", "title", "status", "documents", "requirements")


def add_examples(database: str) -> None:
    """Insert a row for each id of the examples, so that their paths find more than a 404."""
    run_sql(
        database,
        f"insert into project (id, name) values ('{EXAMPLE_PROJECT_ID}', 'Payments')",
        "insert into project_doc (id, project_id, name, github_url) values "
        f"('{EXAMPLE_SOURCE_ID}', '{EXAMPLE_PROJECT_ID}', 'Docs', 'https://git.example/a')",
        "insert into sync_run (id, project_doc_id, status, started_at, finished_at, error) values "
        f"('{EXAMPLE_RUN_ID}', '{EXAMPLE_SOURCE_ID}', 'failed', now(), now(), 'No.')",
        "insert into document (id, project_doc_id, file_path, file_type, file_size, blob_id, "
        f"content, doc_metadata) values ('{EXAMPLE_DOCUMENT_ID}', '{EXAMPLE_SOURCE_ID}', "
        """'a.md', 'md', 4, 'b', '# A', '{"title": "A", "front_matter": null, "headings": []}')""",
        # A source that is deleted leaves them to the service, which removes them later.
        *(f"delete from {table}" for table in WORK_TABLES),
    )
    work = Work(Board(database), EXAMPLE_PROJECT_ID, EXAMPLE_SOURCE_ID, "Docs")
    epic = {name: value for name, value in EXAMPLE_EPIC.items() if name in EPIC_FIELDS}
    story = {name: EXAMPLE_STORY[name] for name in STORY} | {"path": "a.md"}
    problem: dict[str, Any] = {name: EXAMPLE_WORK_PROBLEM[name] for name in PROBLEM} | {
        "path": "a.md"
    }
    activity = {name: value for name, value in EXAMPLE_ACTIVITY.items() if name != "source"}
    work.add_epic(epic.pop("id"), **epic)
    work.add_story(story.pop("id"), **story)
    work.add_problem(**problem)
    work.add_activity(**activity)
    work.count()


def example_path(path: str, ids: Mapping[str, bytes] = MappingProxyType({})) -> bytes:
    """Return a route's path with `ids` in place of its parameters, or else with the examples'."""
    examples = {
        "project_id": EXAMPLE_PROJECT_ID,
        "id": EXAMPLE_DOCUMENT_ID if "/documents/" in path else EXAMPLE_SOURCE_ID,
        "run_id": EXAMPLE_RUN_ID,
        "path": "a.md",
        "name": "hub.css" if path.startswith("/assets/") else "page.css",
    }
    filled = {name: value.encode() for name, value in examples.items()} | dict(ids)
    parts = re.split(r"\{(\w+)(?::path)?\}", path)
    return b"".join(
        filled[part] if number % 2 else part.encode() for number, part in enumerate(parts)
    )
