from __future__ import annotations

from typing import Any

import pytest

from service.webhooks.payloads import FormPayload, PushPayload, RefChange, read_push_payload
from tests.support.deliveries import AFTER, BEFORE, SENDERS, ZEROS, Sender

URL = "https://git.example/Team/docs.git"
every_sender = pytest.mark.parametrize("sender", SENDERS, ids=str)


def read(sender: Sender, **changes: Any) -> PushPayload:
    return read_push_payload(sender.push(URL, **changes).payload)


@every_sender
def test_the_payload_of_each_host_is_read(sender: Sender) -> None:
    pushed = read(sender)
    assert pushed.changes == [RefChange("refs/heads/main", False, AFTER, BEFORE)]
    assert pushed.is_of(URL)
    assert not pushed.is_of("https://git.example/team/other")


@every_sender
@pytest.mark.parametrize("ref", ["refs/heads/a/b", "refs/tags/v1"])
def test_a_new_and_a_deleted_ref_of_each_host_are_told_apart(sender: Sender, ref: str) -> None:
    assert read(sender, ref=ref, before=ZEROS).changes == [RefChange(ref, False, AFTER, None)]
    assert read(sender, ref=ref, after=ZEROS).changes == [RefChange(ref, True, None, BEFORE)]


@pytest.mark.parametrize(
    ("told", "is_same"),
    [
        ("https://git.example/team/docs", True),
        ("https://git.example/team/docs.git", True),
        ("https://git.example/team/docs/", True),
        ("http://GIT.example:8080/Team/Docs.git", True),
        ("https://www.git.example/team/docs", True),
        ("https://git.example/team/d%6Fcs", True),
        ("https://git.example/team/docs2", False),
        ("https://git.example/docs", False),
        ("https://git.example/a/team/docs", False),
        ("https://git.example.org/team/docs", False),
        ("https://[git.example/team/docs", False),
    ],
)
def test_repositories_are_compared_by_host_and_path(told: str, is_same: bool) -> None:
    pushed = read_push_payload({"repository": {"html_url": told}})
    assert pushed.is_of("https://git.example/team/docs") is is_same


@pytest.mark.parametrize("told", ["My Project/_git/\u00e9", "My%20Project/_git/%c3%a9"])
@pytest.mark.parametrize("stored", ["My%20Project/_git/%C3%A9", "my%20project/_git/%C3%89"])
def test_escapes_of_a_repository_are_compared_by_what_they_stand_for(
    told: str, stored: str
) -> None:
    pushed = read_push_payload({"repository": {"clone_url": f"https://git.example/{told}"}})
    assert pushed.is_of(f"https://git.example/{stored}")
    assert not pushed.is_of(f"https://git.example/{stored}2")


@pytest.mark.parametrize(
    ("repository", "is_same"),
    [
        ({"full_name": "Team/docs"}, True),
        ({"full_name": "other/docs"}, False),
        ({"full_name": "m/docs"}, False),
        ({"clone_url": "git@git.example:other/docs.git"}, True),  # not one to compare
        ({}, True),
        (None, True),
        ({"full_name": 1, "html_url": []}, True),
    ],
)
def test_without_a_url_the_name_is_compared(repository: object, is_same: bool) -> None:
    assert read_push_payload({"repository": repository}).is_of(URL) is is_same


@pytest.mark.parametrize(
    ("key", "slug", "is_same"),
    [
        ("PROJ", "docs", True),
        ("proj", "Docs", True),
        ("PROJ", "other", False),
        ("OTHER", "docs", False),
        ("PROJ", None, True),
        (None, "docs", True),
    ],
)
def test_without_a_url_the_key_and_the_slug_of_data_center_are_compared(
    key: object, slug: object, is_same: bool
) -> None:
    pushed = read_push_payload({"repository": {"slug": slug, "project": {"key": key}}})
    assert pushed.is_of("https://git.example/scm/proj/docs.git") is is_same


def test_a_personal_repository_of_data_center_is_known_by_its_key() -> None:
    pushed = read_push_payload({"repository": {"slug": "docs", "project": {"key": "~ADMIN"}}})
    assert pushed.is_of("https://git.example/scm/~admin/docs.git")
    assert pushed.is_of("https://git.example/scm/%7Eadmin/docs")
    assert not pushed.is_of("https://git.example/scm/admin/docs.git")


MALFORMED: list[dict[str, Any]] = [
    {},
    {"ref": 1, "push": [], "changes": {}, "repository": [], "project": "x"},
    {"push": {"changes": [None, 1, {}]}, "changes": [None, {"ref": None}, {"ref": {"id": 1}}]},
    {"push": {"changes": None}, "repository": {"links": {"clone": [None, {"href": 1}]}}},
]


@pytest.mark.parametrize("payload", MALFORMED)
def test_a_malformed_payload_tells_nothing(payload: dict[str, Any]) -> None:
    pushed = read_push_payload(payload)
    assert pushed.find_change("main") is None
    assert pushed.default_branch is None
    assert pushed.is_of(URL)


@pytest.mark.parametrize("commit", [None, 1, "", "abc", "A" * 40, "g" * 40, "a" * 41, ZEROS])
def test_what_is_no_commit_is_not_awaited(commit: object) -> None:
    payload = {"ref": "refs/heads/main", "after": commit, "before": commit}
    [change] = read_push_payload(payload).changes
    assert (change.commit, change.previous) == (None, None)


def test_commits_of_sha256_are_read() -> None:
    payload = {"ref": "refs/heads/main", "after": "a" * 64}
    assert read_push_payload(payload).changes[0].commit == "a" * 64


@pytest.mark.parametrize(
    ("form", "payload"),
    [
        ("payload=%7B%22a%22%3A+1%7D", '{"a": 1}'),
        ("payload=a%2Bb%25%C3%A9", "a+b%\u00e9"),
        ("payload=a&payload=b", "a"),
        ("payload=a%26b%3D&other=%7B", "a&b="),
        ("payload=&payload=b", ""),
        ("payload=100%", "100"),
        ("payload=a%4&b", "a%4"),
        ("other=a&payload=b", ""),
        ("payloads=a", ""),
        ("pay", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 9, 100])
def test_the_payload_of_a_form_is_decoded_part_by_part(form: str, payload: str, size: int) -> None:
    reader = FormPayload()
    parts = [form[start : start + size].encode() for start in range(0, len(form), size)]
    assert b"".join(map(reader.decode, parts)).decode() == payload
