"""Rows of stories, epics, problems and activity, as runs write them, for tests of the routes."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

import psycopg

from service.bmad.identity import fold_id
from service.bmad.problem_kinds import SEVERITIES
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    import httpx

STORY: Final[dict[str, Any]] = {
    "tree": "",
    "path": None,
    "anchor": None,
    "id": "",
    "epic": None,
    "story": None,
    "title": "",
    "status": "draft",
    "status_evidence": [],
    "is_built": False,
    "kind": "story",
    "as_a": None,
    "i_want": None,
    "so_that": None,
    "acceptance_criteria_total": 0,
    "acceptance_criteria_done": None,
    "acceptance_criteria_items_total": 0,
    "acceptance_criteria_items_done": 0,
    "tasks_total": 0,
    "tasks_done": 0,
    "subtasks_total": 0,
    "subtasks_done": 0,
    "review_findings_open": 0,
    "gate": None,
    "after": [],
    "waits_for": [],
    "is_ready": False,
    "archived": False,
}
PROBLEM: Final[dict[str, Any]] = {
    "tree": "",
    "kind": "broken_link",
    "severity": "warning",
    "detail": "The link to b.md leads to no file.",
    "path": None,
    "line": None,
    "target": None,
    "reason": None,
}


def awaited(story_id: str, title: str = "", status: str | None = None) -> dict[str, Any]:
    """Return what a story waits for."""
    return {"id": story_id, "title": title, "status": status, "path": None}


def gate(
    decision: str | None = "PASS", path: str = "docs/qa/gates/1.1-x.yml", **fields: Any
) -> dict[str, Any]:
    """Return the gate of a story."""
    return {
        "decision": decision,
        "score": 100,
        "reviewer": "Quinn",
        "updated": "2026-11-24",
        "expires": None,
        "document": {"path": path, "line": 4},
    } | fields


class Board:
    """Writes the rows of the work of projects into a database."""

    def __init__(self, database: str) -> None:
        self.database = database

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(statement.encode(), values)

    def add_project(self, name: str = "Payments") -> str:
        """Return the id of a new project."""
        project = str(uuid.uuid4())
        self.execute("insert into project (id, name) values (%s, %s)", project, name)
        return project

    def add_source(self, project: str, name: str = "Docs") -> Work:
        """Return the work of a new source."""
        source = str(uuid.uuid4())
        self.execute(
            "insert into project_doc (id, project_id, name, github_url) values (%s, %s, %s, %s)",
            source,
            project,
            name,
            "https://git.example/a/b",
        )
        return Work(self, project, source, name)


class Work:
    """The work of one source: the rows of a tree are in the order in which they are added."""

    def __init__(self, board: Board, project: str, source: str, name: str) -> None:
        self.board = board
        self.project = project
        self.source = source
        self.named = {"id": source, "name": name}
        self.places = 0
        self._epics: dict[str, str] = {}

    def _place(self, tree: str) -> str:
        self.places += 1
        return f"{tree}\t{self.places:05d}"

    def add_document(self, path: str) -> str:
        """Return the id of a new document."""
        document = str(uuid.uuid4())
        self.board.execute(
            "insert into document (id, project_doc_id, file_path, file_type, file_size, blob_id, "
            "content, doc_metadata) values (%s, %s, %s, 'md', 1, '', '', '{}')",
            document,
            self.source,
            path,
        )
        return document

    def add_story(
        self, story_id: str = "", title: str = "", status: str = "draft", **fields: Any
    ) -> dict[str, Any]:
        """Add a story, and return its item; it belongs to the last epic that has its id."""
        epic, _, story = story_id.rpartition(".")
        item: dict[str, Any] = STORY | {
            "id": story_id,
            "epic": epic or None,
            "story": story if epic else None,
            "title": title or f"Story {story_id}",
            "status": status,
            **fields,
        }
        place = self._place(item["tree"])
        self.board.execute(
            "insert into story (project_doc_id, place, key, epic_place, epic, id, title, status, "
            "is_archived, file_path, item, digest) "
            r"values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '\x00')",
            self.source,
            place,
            item["path"] or place,
            self._epics.get(item["epic"] or ""),
            fold_id(item["epic"] or ""),
            fold_id(item["id"]),
            item["title"],
            item["status"],
            item["archived"],
            item["path"],
            json.dumps(item),
        )
        return item

    def add_epic(self, epic_id: str, title: str = "", **fields: Any) -> dict[str, Any]:
        """Add an epic, and return its item."""
        item: dict[str, Any] = {
            "tree": "",
            "id": epic_id,
            "title": title or f"Epic {epic_id}",
            "status": None,
            "status_evidence": [],
            "documents": [],
            "requirements": [],
            **fields,
        }
        place = self._epics[epic_id] = self._place(item["tree"])
        self.board.execute(
            "insert into epic (project_doc_id, place, id, item, digest) "
            r"values (%s, %s, %s, %s, '\x00')",
            self.source,
            place,
            fold_id(epic_id),
            json.dumps(item),
        )
        return item

    def add_problem(
        self, severity: str = "warning", days: int | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Add a problem, which appears in so many days if they are given, and return its item."""
        item = PROBLEM | {"severity": severity} | fields
        self.board.execute(
            "insert into problem (project_doc_id, place, kind, severity, file_path, item, "
            "appears_on, digest) values (%s, %s, %s, %s, %s, %s, "
            r"(now() at time zone 'UTC')::date + %s::int, '\x00')",
            self.source,
            f"{SEVERITIES.index(severity)}\t{self._place(item['tree'])}",
            item["kind"],
            item["severity"],
            item["path"],
            json.dumps(item),
            days,
        )
        return item

    def add_activity(self, at: str, **fields: Any) -> dict[str, Any]:
        """Add what a run changed, and return the row."""
        row: dict[str, Any] = {
            "run_id": str(uuid.uuid4()),
            "at": at,
            "commit_id": "3f786850e387550fdab836ed7e6dc881de23001b",
            "committed_at": None,
            "added": 0,
            "changed": 0,
            "moved": 0,
            "removed": 0,
            "documents": [],
            "statuses": [],
            **fields,
        }
        values = [json.dumps(each) if isinstance(each, list) else each for each in row.values()]
        self.board.execute(
            f"insert into activity (project_doc_id, {', '.join(row)}) "
            f"values (%s{', %s' * len(row)})",
            self.source,
            *values,
        )
        return row

    def add_run(self, status: str, finished_at: str, error: str | None = None) -> None:
        """Add a run that has ended."""
        self.board.execute(
            "insert into sync_run (project_doc_id, status, started_at, finished_at, error) "
            "values (%s, %s, now(), %s, %s)",
            self.source,
            status,
            finished_at,
            error,
        )

    def add_day(self, days_ago: int, scope: int, done: int) -> None:
        """Add a day to the burn-up, in UTC."""
        self.board.execute(
            "insert into burnup_day (project_doc_id, day, scope, done) "
            "values (%s, (now() at time zone 'UTC')::date - %s, %s, %s)",
            self.source,
            days_ago,
            scope,
            done,
        )

    def count(self) -> None:
        """Write the numbers of the rows that are there, as a run does at its end."""
        self.board.execute(
            """
            insert into source_progress (project_doc_id, documents, stories, problems)
            select %(source)s, (select count(*) from document where project_doc_id = %(source)s),
                   (
                       select coalesce(jsonb_object_agg(status, count), '{}')
                       from (
                           select status, count(*) from story
                           where project_doc_id = %(source)s and not is_archived
                           group by status
                       ) as by_status
                   ),
                   (
                       select coalesce(jsonb_object_agg(severity, count), '{}')
                       from (
                           select severity, count(*) from problem
                           where project_doc_id = %(source)s and appears_on is null
                           group by severity
                       ) as by_severity
                   )
            on conflict (project_doc_id) do update
            set documents = excluded.documents, stories = excluded.stories,
                problems = excluded.problems
            """.replace("%(source)s", f"'{self.source}'")
        )

    def delete_source(self) -> None:
        """Delete the source; the rows of its work stay until the service removes them."""
        run_sql(self.board.database, f"delete from project_doc where id = '{self.source}'")


def read(client: httpx.Client, path: str, **parameters: Any) -> Any:
    """Return the JSON of a response, which is a 200."""
    response = client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def read_pages(client: httpx.Client, path: str, **parameters: Any) -> list[list[Any]]:
    """Return all pages of a list, each by the link of the one before."""
    response = client.get(path, params=parameters)
    pages: list[list[Any]] = []
    while True:
        assert response.status_code == 200, response.text
        pages.append(response.json())
        if "next" not in response.links:
            return pages
        response = client.get(response.url.join(response.links["next"]["url"]))
