from __future__ import annotations

import asyncio
import json
from threading import current_thread
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from service.web.bodies import PARSED_AT_ONCE, read_parsed
from service.web.large_bodies import LargeBodies
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    import httpx
    from starlette.types import Message, Scope


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


INVISIBLE = (
    "\u200b\u00ad\u034f\u061c\u115f\u1160\u17b4\u180b\u180e\u200c\u200d\u200e\u200f\u2060\u2064\u2800\u3164"
    "\ufe0f\ufeff\uffa0\ufff9\ufffc\U00013430\U0001343f\U0001bca0\U0001d159\U0001d173"
    "\U000e0001\U000e0041\U000e0100\U000e0fff"
    # combining marks, which need another character
    "\u0301\u20dd\u0e31\u3099"
)
UNSEEN = [
    *INVISIBLE,
    INVISIBLE,
    " \u3164 ",
    "\u200b \u200b",
    "\u00a0\u2003\u3000\u202f\u205f\u1680\u2800",
]


@pytest.mark.parametrize("name", UNSEEN, ids=ascii)
def test_a_name_that_cannot_be_seen_is_refused(client: httpx.Client, name: str) -> None:
    problem = assert_problem(client.post("/api/projects", json={"name": name}), 400)
    assert problem["errors"] == {"name": ["must have a character that can be seen."]}


@pytest.mark.parametrize(
    "character", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u206a\u206f"
)
def test_a_name_that_changes_the_direction_of_text_is_refused(
    client: httpx.Client, character: str
) -> None:
    for name in (f"Pay{character}ments", f"{character}Payments", f"Payments{character}"):
        problem = assert_problem(client.post("/api/projects", json={"name": name}), 400)
        assert "change the direction of text" in problem["errors"]["name"][0]


@pytest.mark.parametrize(
    "name",
    [
        "Zahlungen für Österreich",
        "支付",
        "決済・文書",
        "결제",
        "Платежи",
        "การชำระเงิน",
        "การ\u200bชำระ\u200bเงิน",  # zero-width spaces where lines may break
        "भुगतान",
        "क्\u200dष",  # a joiner that shapes a letter
        "ന്\u200d",  # the same at the end
        "نمونه\u200cها",  # noqa: RUF001 Persian, with a non-joiner
        "\u200fC++\u200f מסמכים",  # marks beside punctuation
        "מסמכים (א)\u200f",
        "المدفوعات",
        "ⴰⵣⵓⵍ",
        "ᠮᠣᠩᠭᠣᠯ\u180b",  # Mongolian, with a selector of a variant
        "\u115fᅡ",  # a vowel of old Hangul, alone
        "e\u0301tude",
        "👩\u200d👩\u200d👧 Familie",
        "❤\ufe0f",
        "1\ufe0f\u20e3",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "🇺🇳",
        "葛\U000e0100",
        "\U0001fae8",  # an emoji that came after Python 3.11
        "\ue000",  # private use
        "⠃⠍⠁⠙",
        "#1",
        "!",
        "…",
    ],
    ids=ascii,
)
def test_honest_names_of_every_script_are_kept_as_they_are(client: httpx.Client, name: str) -> None:
    assert create(client, name)["name"] == name


def test_invisible_characters_at_the_ends_of_a_name_are_dropped(client: httpx.Client) -> None:
    """Or two projects would have names that look equal."""
    create(client, "Payments")
    for blank in "\u200b\u2060\ufeff\u3164\uffa0\u2800\u00ad\u180e\u2003\u00a0":
        for name in (f"Payments{blank}", f"{blank}Payments", f"{blank} {blank}Payments \n{blank}"):
            assert_problem(client.post("/api/projects", json={"name": name}), 409)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("é" + " " * 500_000 + "x", 400),
        ("\u200b" * 150_000 + "é" + "\u2060" * 150_000, 201),
        ("\u0301" * 300_000, 400),
    ],
    ids=["spaces", "invisible", "marks"],
)
def test_a_name_of_a_megabyte_is_checked_before_the_client_gives_up(
    client: httpx.Client, name: str, status: int
) -> None:
    body = json.dumps({"name": name}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json"}
    response = client.post("/api/projects", content=body, headers=headers)
    assert response.status_code == status


def test_an_invisible_name_of_an_earlier_version_stays_until_it_is_changed(
    client: httpx.Client, database: str
) -> None:
    name = "\u202e\u3164"
    (project,) = run_sql(database, f"insert into project (name) values ('{name}') returning id")[0]
    path = f"/api/projects/{project}"
    assert client.get(path).json()["name"] == name
    assert client.put(path, json={"description": "x"}).json()["name"] == name
    assert_problem(client.put(path, json={"name": name}), 400)
    assert client.put(path, json={"name": "Payments"}).json()["name"] == "Payments"


def test_a_source_has_the_same_rule_for_its_name_and_none_for_its_description(
    client: httpx.Client,
) -> None:
    path = f"/api/projects/{create(client)['id']}/docs"
    source = {"name": "Docs", "github_url": "https://git.example/team/docs"}
    for name in ("\u3164", "a\u202eb"):
        assert_problem(client.post(path, json={**source, "name": name}), 400)
    described = {**source, "description": "\u202dfree text\u202c\n\u200b"}
    created = client.post(path, json=described)
    assert created.json()["description"] == described["description"]
    changed = f"/api/project-docs/{created.json()['id']}"
    assert_problem(client.put(changed, json={"name": "\u200b"}), 400)


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


async def _name_thread(size: int) -> str:
    """Return the name of the thread that parses a body of this size."""
    async with LargeBodies() as large_bodies:
        body = b"{}".ljust(size)

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        scope: Scope = {"type": "http", "headers": [], "state": {"large_bodies": large_bodies}}
        return await read_parsed(
            Request(scope, receive), lambda given: f"{len(given)} {current_thread().name}"
        )


def test_only_large_bodies_are_parsed_in_a_thread() -> None:
    small = asyncio.run(_name_thread(PARSED_AT_ONCE))
    assert small == f"{PARSED_AT_ONCE} {current_thread().name}"
    large = asyncio.run(_name_thread(PARSED_AT_ONCE + 1))
    assert large.startswith(f"{PARSED_AT_ONCE + 1} make-bodies")
