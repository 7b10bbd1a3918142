"""What the API says of a project's progress."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.support.bmad_repositories.history import push
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.bmad_repositories.history import Commit, History
    from tests.support.git_server import Remote
    from tests.support.hub import Hub

TABLES = ("story", "epic", "problem")


class SyncedProduct:
    """A project with one source, whose commits a test makes and syncs."""

    def __init__(self, hub: Hub, history: History | None = None) -> None:
        self.hub = hub
        self.remote: Remote = hub.server.create(f"team/{uuid.uuid4()}")
        self.project = hub.create_project(self.remote.url)
        self.source = hub.create_source(self.project, self.remote)
        if history is not None:
            self.sync(history.commits)

    def sync(self, commits: Sequence[Commit]) -> dict[str, Any]:
        """Push commits and sync them; return the run."""
        push(self.remote, commits)
        run = self.hub.sync(self.source)
        assert run["status"] == "completed", run
        return run

    def get(self, path: str) -> dict[str, Any]:
        response = self.hub.client.get(f"/api/projects/{self.project}/{path}")
        assert response.status_code == 200, response.text
        return response.json()

    def list(self, name: str, query: str = "") -> list[dict[str, Any]]:
        """Return all items of a list of the API, page by page."""
        items: list[dict[str, Any]] = []
        path: str = f"/api/projects/{self.project}/{name}?limit=5{query}"
        while path:
            response = self.hub.client.get(path)
            assert response.status_code == 200, response.text
            items += response.json()
            path = response.links["next"]["url"] if "next" in response.links else ""
        return items

    @cached_property
    def named(self) -> dict[str, str]:
        """The source, as items of lists name it."""
        return {"id": self.source, "name": "Docs"}

    @cached_property
    def documents(self) -> dict[str, str]:
        """The ids of the documents by path, when they are first asked for."""
        files = self.hub.files(self.project)
        return {path: file["id"] for path, file in files.items()}

    def with_document(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return an item with the id of the document at its path, if it has one."""
        if "path" not in item:
            return {**item}
        path = item["path"]
        return {**item, "document_id": None if path is None else self.documents[path]}

    def placed(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return an item with the ids of its documents, and its source."""
        placed = self.with_document(item) | {"source": self.named}
        for name in ("status_evidence", "documents", "waits_for"):
            if name in item:
                placed[name] = [self.with_document(each) for each in item[name]]
        if item.get("gate"):
            document = self.with_document(item["gate"]["document"])
            placed["gate"] = item["gate"] | {"document": document}
        return placed

    def epics(self) -> list[tuple[Any, ...]]:
        """Return the epics: id, title, status, requirements, and the stories by status."""
        return [
            (
                *(epic[name] for name in ("id", "title", "status", "requirements")),
                {name: number for name, number in epic["stories_by_status"].items() if number},
            )
            for epic in self.list("epics")
        ]

    def problems(self) -> set[tuple[str, str | None, int | None]]:
        """Return the kind, the path and the line of each problem."""
        return {
            (problem["kind"], problem["path"], problem["line"]) for problem in self.list("problems")
        }

    def counted(self) -> tuple[int, int]:
        """Return the numbers of stories in scope and done, as a day of the burn-up has them."""
        by_status = self.get("progress")["by_status"]
        return sum(by_status.values()) - by_status["cancelled"], by_status["done"]

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return what the tables have of the source, without ids of its own."""
        query = "select place, item from {} where project_doc_id = '{}' order by place"
        return {
            table: run_sql(self.hub.database, query.format(table, self.source)) for table in TABLES
        }

    def versions(self) -> dict[tuple[str, str], object]:
        """A value for each row by table and place, that changes whenever the row is written."""
        query = "select place, xmin::text || ctid::text from {} where project_doc_id = '{}'"
        return {
            (table, place): version
            for table in TABLES
            for place, version in run_sql(self.hub.database, query.format(table, self.source))
        }
