"""Checks of the responses of /api/health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


def assert_unhealthy(response: httpx.Response, database: str, reason: str) -> None:
    assert response.status_code == 503
    body = response.json()
    assert_recent(body.pop("timestamp"))
    assert body == {"status": "error", "database": database, "reason": reason}
    assert response.headers["retry-after"] == "5"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"


def assert_recent(timestamp: str) -> None:
    moment = datetime.fromisoformat(timestamp)
    assert moment.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=10)
