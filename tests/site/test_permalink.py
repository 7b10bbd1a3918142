"""The address of a document by its id leads to its page, wherever the document is now."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.site.site import SCRIPT
from tests.support.hub import Hub, Synced, running_hub
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


def test_an_id_leads_to_the_page_also_after_the_document_moved(hub: Hub) -> None:
    synced = Synced(hub, {"docs/prd.md": b"# Payments\n\nAll of it.\n", "docs/b.md": b"# B\n"})
    document = hub.files(synced.project)["docs/prd.md"]["id"]

    def location() -> str:
        response = hub.client.get(f"/documents/{document}")
        assert response.status_code == 302
        assert response.headers["cache-control"] == "private, no-cache"
        return response.headers["location"]

    assert location() == f"../projects/{synced.project}/files/docs/prd.md"
    synced.remote.commit(renames={"docs/prd.md": "docs/<prd> #1.md"})
    assert hub.sync(synced.source)["moved"] == 1
    assert location() == f"../projects/{synced.project}/files/docs/%3Cprd%3E%20%231.md"


def test_with_several_sources_the_page_is_below_the_folder_of_its_source(hub: Hub) -> None:
    project = hub.create_project()
    for number, name in enumerate(["Plans", SCRIPT]):
        remote = hub.server.create(f"team/{number}")
        remote.commit({"docs/prd.md": f"# {name}\n".encode()})
        assert hub.sync(hub.create_source(project, remote, name=name))["status"] == "completed"
    pages = {
        path: hub.client.get(f"/documents/{file['id']}").headers["location"]
        for path, file in hub.files(project).items()
    }
    assert len(pages) == 2
    for path, page in pages.items():
        assert unquote(page) == f"../projects/{project}/files/{path}"


def test_an_unknown_id_is_a_404(hub: Hub) -> None:
    assert_problem(hub.client.get(f"/documents/{UNKNOWN}"), 404)
    assert_problem(hub.client.get("/documents/1"), 400)
