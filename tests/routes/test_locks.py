"""No request waits for long for what another transaction has locked, on any route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from service.app import ROUTES
from service.routes.shared import BEING_CHANGED
from service.schemas.example_ids import EXAMPLE_PROJECT_ID, EXAMPLE_SOURCE_ID
from service.sync.advisory_locks import pushes_lock, source_lock
from service.web.authorization import access_to
from tests.support.deliveries import GITHUB, SECRETS
from tests.support.examples import add_examples, example_path
from tests.support.service import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://git.example/a"
SOURCE = f"'{EXAMPLE_SOURCE_ID}'::uuid"

# What an open transaction of another client has done. Each holds up at least one request.
TRANSACTIONS = [
    "select from project for update",
    "select from project_doc for update",
    "select from sync_run for update",
    "select from document for update",
    "select from project for key share",
    "update project set description = 'x'",
    "update project_doc set description = 'x'",
    "delete from project",
    "delete from project_doc",
    "insert into project (name) values ('Other')",
    (
        f"insert into project_doc (project_id, name, github_url) values ('{EXAMPLE_PROJECT_ID}', "
        "'New', 'https://git.example/new')"
    ),
    f"insert into sync_run (project_doc_id) values ({SOURCE})",
    f"insert into push values ({SOURCE}, 'delivery', now(), null, null, false)",
    "update document set content = 'x', file_path = 'b.md'",
    (
        "insert into document (project_doc_id, file_path, file_type, file_size, blob_id, content, "
        f"doc_metadata) values ({SOURCE}, 'new.md', 'md', 0, 'b', '', '{{}}')"
    ),
    # As a sync has while it writes documents, and for its end.
    f"select pg_advisory_xact_lock({source_lock(SOURCE)})",
    f"select pg_advisory_xact_lock({pushes_lock(SOURCE)})",
]
# In the order in which they are sent.
BODIES = {
    ("POST", "/api/project-docs/{id}/sync"): None,
    ("POST", "/api/project-docs/{id}/webhook"): None,
    ("POST", "/api/projects"): {"name": "Other"},
    ("PUT", "/api/projects/{project_id}"): {"name": "Other"},
    ("POST", "/api/projects/{project_id}/docs"): {"name": "New", "github_url": URL},
    ("PUT", "/api/project-docs/{id}"): {"name": "New", "github_url": f"{URL}b"},
    ("DELETE", "/api/project-docs/{id}"): None,
    ("DELETE", "/api/projects/{project_id}"): None,
}


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    add_examples(database)
    settings = {"sync_concurrency": 0, "git_hosts": ("git.example",)}
    secret = SECRETS["github_webhook_secret"]
    with serving(database, **settings, github_webhook_secret=secret) as client:
        # Less than a statement may take; a request that waits for a lock ends much earlier.
        client.timeout = httpx.Timeout(5)
        yield client


def test_every_route_that_changes_rows_is_tried() -> None:
    changes = {
        (method, route.path)
        for route in ROUTES
        for method in route.methods or ()
        if access_to(method, route.path) == "change" or route.path.endswith("/webhook")
    }
    assert changes == set(BODIES)


def send(client: httpx.Client, method: str, path: str, body: Any) -> httpx.Response:
    if path.endswith("/webhook"):
        return GITHUB.push(URL, id_="delivery").send(client, EXAMPLE_SOURCE_ID)
    return client.request(method, example_path(path).decode(), json=body)


@pytest.mark.parametrize("transaction", TRANSACTIONS)
def test_no_request_waits_for_the_transaction_of_another_client(
    client: httpx.Client, database: str, transaction: str
) -> None:
    refused: list[str] = []
    with psycopg.connect(database) as other:
        other.execute(transaction.encode())
        for route in ROUTES:
            if "GET" in (route.methods or set()):
                response = client.get(example_path(route.path).decode())
                assert response.status_code < 500, route.path
        for (method, path), body in BODIES.items():
            response = send(client, method, path, body)
            if response.status_code == 503:
                assert BEING_CHANGED in response.text
                assert response.headers["retry-after"]
                refused.append(f"{method} {path}")
            else:
                assert response.status_code < 500, path
        other.rollback()
    assert refused
    for request in refused:
        method, _, path = request.partition(" ")
        response = send(client, method, path, BODIES[method, path])
        assert response.status_code != 503, request
