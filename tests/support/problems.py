"""Problem documents (RFC 9457), as every error response of the service has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem of a response after checking the members that all problems have."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["status"] == status
    assert isinstance(body["detail"], str)
    assert body["instance"] == urlsplit(str(response.request.url)).path
    assert body["request_id"] == response.headers["x-request-id"]
    return body
