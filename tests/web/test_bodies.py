from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.problems import assert_problem

if TYPE_CHECKING:
    import httpx


def create(client: httpx.Client, name: str = "Payments", **fields: Any) -> dict[str, Any]:
    response = client.post("/api/projects", json={"name": name, **fields})
    assert response.status_code == 201, response.text
    return response.json()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "is required."),
        ({"name": None}, "must not be null."),
        ({"name": 5}, "must be a string."),
        ({"name": ["x"]}, "must be a string."),
        ({"name": " "}, "must have 1 to 255 characters."),
        ({"name": "x" * 256}, "must have 1 to 255 characters."),
        ({"name": "a\tb"}, "must not hold control characters."),
        ({"name": "a\0b"}, "must not hold NUL or half a character."),
    ],
)
def test_errors_of_a_field_are_worded_alike(
    client: httpx.Client, body: dict[str, Any], said: str
) -> None:
    problem = assert_problem(client.post("/api/projects", json=body), 400)
    assert problem["errors"] == {"name": [said]}
    assert problem["detail"] == f"name: {said}"


def test_names_are_trimmed_and_unknown_fields_ignored(
    client: httpx.Client,
) -> None:
    assert create(client, "  Payments\n", id=1, color="red")["name"] == "Payments"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": " \t"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": 5}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\ud800b"}, "name"),
        ({"name": "x", "description": "x" * 2001}, "description"),
        ({"name": "x", "description": "a\0b"}, "description"),
        ({"name": "x", "description": {}}, "description"),
    ],
)
def test_a_400_names_the_wrong_field(
    client: httpx.Client, body: dict[str, Any], field: str
) -> None:
    # httpx would not escape the lone surrogate, and so could not encode it.
    headers = {"Content-Type": "application/json"}
    response = client.post("/api/projects", content=json.dumps(body), headers=headers)
    problem = assert_problem(response, 400)
    assert list(problem["errors"]) == [field]
    assert problem["detail"].startswith(f"{field}: ")
    assert client.get("/api/projects").json() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"name"',
        b"null",
        b"\xff\xfe",
        b'{"name":"a","name":"b"}',
        b'{"name":NaN}',
        b'{"name":"a","x":%s}' % (b"1" * 5000),
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"x":' + b'{"x":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_other_than_a_json_object_is_refused(client: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(client.post("/api/projects", content=body, headers=headers), 400)


def test_a_400_gives_the_position_of_a_syntax_error(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    response = client.post("/api/projects", content=b'{"a" 1}', headers=headers)
    assert assert_problem(response, 400)["detail"].endswith(", at character 6.")


def test_a_body_of_40_000_fields_is_read(client: httpx.Client) -> None:
    body = {f"field_{number}": None for number in range(40_000)} | {"name": "Payments"}
    response = client.post("/api/projects", json=body)
    assert response.json()["name"] == "Payments"


@pytest.mark.parametrize(
    "media_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "json", "application/jsonx"],
)
def test_a_media_type_other_than_json_is_a_415(
    client: httpx.Client, media_type: str | None
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    response = client.post("/api/projects", content=b'{"name":"x"}', headers=headers)
    assert "application/json" in assert_problem(response, 415)["detail"]


@pytest.mark.parametrize(
    "media_type", ["Application/JSON; charset=utf-8", "application/merge-patch+json"]
)
def test_json_media_types_with_a_parameter_or_suffix_are_accepted(
    client: httpx.Client, media_type: str
) -> None:
    headers = {"Content-Type": media_type}
    response = client.post("/api/projects", content=b'{"name":"x"}', headers=headers)
    assert response.status_code == 201
