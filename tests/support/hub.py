"""The service with a git server of its own, and a client that syncs and reads documents."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.git_server import GitServer, Remote, git_server, git_settings
from tests.support.postgres import run_sql
from tests.support.service import serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    import httpx


def hub_settings(folder: Path, server: GitServer) -> dict[str, Any]:
    """Return the settings with which https://git.example/… leads to the git server."""
    options = git_settings(folder, server)
    return {
        "git_hosts": ("git.example",),
        "git_protocols": options["protocols"],
        "git_private_networks": options["private_networks"],
        "git_config_global": options["config_global"],
    }


def hub_variables(folder: Path, server: GitServer) -> dict[str, str]:
    """Return the same settings as environment variables, for a process of its own."""
    settings = hub_settings(folder, server)
    return {
        "GIT_HOSTS": ",".join(settings["git_hosts"]),
        "GIT_PROTOCOLS": ",".join(settings["git_protocols"]),
        "GIT_PRIVATE_NETWORKS": "true",
        "GIT_CONFIG_GLOBAL": settings["git_config_global"],
    }


@dataclass
class Hub:
    """A client of the API, which raises no errors of its own: its assertions fail the test."""

    client: httpx.Client
    server: GitServer
    database: str

    def create_project(self, name: str = "Payments") -> str:
        """Return the id of a new project."""
        response = self.client.post("/api/projects", json={"name": name})
        assert response.status_code == 201, response.text
        return response.json()["id"]

    def create_source(self, project: str, remote: Remote, **fields: Any) -> str:
        """Return the id of a new source."""
        source = {"name": "Docs", "github_url": remote.url, **fields}
        response = self.client.post(f"/api/projects/{project}/docs", json=source)
        assert response.status_code == 201, response.text
        return response.json()["id"]

    def sync(self, source: str, seconds: float = 30) -> dict[str, Any]:
        """Request a run, wait for its end, and return it."""
        response = self.client.post(f"/api/project-docs/{source}/sync")
        assert response.status_code == 202, response.text
        return self.wait(response.headers["location"], seconds)

    def wait(self, run: str, seconds: float = 30) -> dict[str, Any]:
        """Wait for the end of the run at this path, and return it."""

        def finished() -> dict[str, Any] | None:
            found = self.client.get(run).json()
            return found if found["finished_at"] else None

        return eventually(finished, seconds)

    def status(self, source: str) -> dict[str, Any]:
        return self.client.get(f"/api/project-docs/{source}/sync-status").json()

    def tree(self, project: str) -> list[dict[str, Any]]:
        return self.client.get(f"/api/projects/{project}/file-tree").json()["tree"]

    def files(self, project: str) -> dict[str, dict[str, Any]]:
        """Return the files of a project's tree by path."""
        found: dict[str, dict[str, Any]] = {}

        def walk(nodes: list[dict[str, Any]]) -> None:
            for node in nodes:
                if node["type"] == "file":
                    found[node["path"]] = node
                else:
                    walk(node["children"])

        walk(self.tree(project))
        return found

    def document(self, project: str, path: str) -> dict[str, Any]:
        """Return the document at this path of the tree, with its content."""
        response = self.client.get(f"/api/documents/{self.files(project)[path]['id']}")
        assert response.status_code == 200, response.text
        return response.json()


@contextmanager
def running_hub(database: str, folder: Path, **changes: Any) -> Generator[Hub]:
    """Serve the API and git while the block runs; `changes` are settings by field name."""
    with (
        git_server(folder / "repositories") as server,
        serving(database, **hub_settings(folder, server) | changes) as client,
    ):
        yield Hub(client, server, database)


def without_skipped_files(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run as lists have it."""
    return {name: value for name, value in run.items() if name != "skipped_files"}


def counts(run: dict[str, Any]) -> tuple[int, ...]:
    """The numbers of documents added, changed, unchanged and removed, and of skipped files.

    Moved documents are in none of them: see `moved` of the run.
    """
    names = ("added", "changed", "unchanged", "removed", "skipped")
    return tuple(run[name] for name in names)


def row_versions(hub: Hub) -> dict[str, object]:
    """A value for each document, by path, that changes whenever the row is written."""
    query = "select file_path, xmin::text || ctid::text from document"
    return dict(run_sql(hub.database, query))


class Synced:
    """A project with one source, whose repository has the files of the last change, synced."""

    def __init__(self, hub: Hub, files: Mapping[str, bytes], name: str = "Payments") -> None:
        self.hub = hub
        self.remote = hub.server.create()
        self.project = hub.create_project(name)
        self.source = hub.create_source(self.project, self.remote)
        self.change(files)

    def change(self, files: Mapping[str, bytes | None]) -> None:
        self.remote.commit(files)
        assert self.hub.sync(self.source)["status"] == "completed"

    def remove(self, file_path: str) -> None:
        self.remote.commit({file_path: None})
        assert self.hub.sync(self.source)["status"] == "completed"

    def path(self, file_path: str) -> str:
        return f"/api/documents/{self.hub.files(self.project)[file_path]['id']}"
