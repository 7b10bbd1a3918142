from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("project_id", "status"),
    [
        (UNKNOWN, 404),
        (UNKNOWN.upper(), 404),
        ("1", 400),
        ("x" * 5000, 400),
        ("%00", 400),
        ("%FF", 400),
        (UNKNOWN.replace("-", ""), 400),
        (f"%7B{UNKNOWN}%7D", 400),
        ("9" * 5000, 400),
    ],
)
def test_an_unknown_id_is_a_404_and_a_malformed_one_a_400(
    client: httpx.Client, method: str, project_id: str, status: int
) -> None:
    body = {"name": "x"} if method == "PUT" else None
    response = client.request(method, f"/api/projects/{project_id}", json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
