"""Problem documents (RFC 9457), as every error response of the service has one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

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
    url = str(response.request.url).partition("?")[0]
    # Python's urljoin() drops empty segments.
    assert urljoin(url, body["instance"]) == re.sub("(?<!:)/+", "/", url)
    assert body["request_id"] == response.headers["x-request-id"]
    return body
