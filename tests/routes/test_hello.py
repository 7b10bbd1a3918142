from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


def test_it_greets_as_the_front_end_expects(client: httpx.Client) -> None:
    response = client.get("/api/hello", headers={"Origin": "http://localhost:3000"})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"
    body = response.json()
    time = datetime.fromisoformat(body.pop("timestamp"))
    assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)
    assert body == {"message": "Hello BMADFlow", "status": "ok"}
