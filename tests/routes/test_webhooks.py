from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest

from service.web.middleware import MAX_BODY_BYTES, MAX_WEBHOOK_BYTES
from tests.support.hub import Hub, running_hub
from tests.support.problems import assert_problem
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

SECRET = "a secret of the webhook's"


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


@pytest.fixture
def hooked(database: str, tmp_path: Path) -> Iterator[Hub]:
    """The hub with a secret for webhooks, and with a token, which webhooks need not send."""
    with running_hub(
        database, tmp_path, github_webhook_secret=SECRET, api_token="token-of-the-api"
    ) as hub:
        hub.client.headers["Authorization"] = "Bearer token-of-the-api"
        yield hub


def send_webhook(
    hub: Hub,
    source: str,
    payload: object,
    *,
    event: str = "push",
    secret: str = SECRET,
    is_form: bool = False,
) -> httpx.Response:
    body = json.dumps(payload).encode()
    media_type = "application/json"
    if is_form:
        body = hub.client.build_request("POST", "/", data={"payload": body.decode()}).read()
        media_type = "application/x-www-form-urlencoded"
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hub.client.post(
        f"/api/project-docs/{source}/webhook",
        content=body,
        headers={
            "Authorization": "",
            "Content-Type": media_type,
            "X-GitHub-Event": event,
            "X-Hub-Signature-256": f"sha256={signature}",
        },
    )


def push(ref: str = "refs/heads/main", default: str = "main") -> dict[str, Any]:
    return {"ref": ref, "repository": {"default_branch": default}, "commits": []}


@pytest.mark.parametrize(
    ("payload", "is_form"),
    [(push(), False), (push(), True), ({"ref": "refs/heads/main"}, False)],
    ids=["as JSON", "as a form", "without the default branch"],
)
def test_a_push_syncs_at_once(hooked: Hub, payload: object, is_form: bool) -> None:
    remote = hooked.server.create()
    remote.commit({"a.md": b"x"})
    source = hooked.create_source(hooked.create_project(), remote)
    response = send_webhook(hooked, source, payload, is_form=is_form)
    assert response.status_code == 202
    assert hooked.wait(response.headers["location"])["added"] == 1


@pytest.mark.parametrize(
    ("branch", "payload", "event"),
    [
        (None, push("refs/heads/other"), "push"),
        (None, push("refs/tags/main"), "push"),
        ("release", push("refs/heads/main"), "push"),
        (None, push() | {"deleted": True}, "push"),
        (None, {"zen": "Keep it logically awesome."}, "ping"),
        (None, push(), "issues"),
    ],
)
def test_other_events_and_pushes_to_other_branches_do_nothing(
    hooked: Hub, branch: str | None, payload: object, event: str
) -> None:
    source = hooked.create_source(hooked.create_project(), hooked.server.create(), branch=branch)
    response = send_webhook(hooked, source, payload, event=event)
    assert response.status_code == 200
    assert hooked.status(source)["status"] == "idle"


def test_a_webhook_without_a_valid_signature_is_refused(hooked: Hub) -> None:
    source = hooked.create_source(hooked.create_project(), hooked.server.create())
    assert_problem(send_webhook(hooked, source, push(), secret="another"), 403)
    origin = {"Origin": "http://localhost:3000"}
    refused = hooked.client.post(f"/api/project-docs/{source}/webhook", headers=origin)
    assert_problem(refused, 403)
    assert refused.headers["access-control-allow-origin"] == origin["Origin"]
    path = f"/api/project-docs/{source}/webhook"
    for signature in ("", "sha256=", "sha1=0", "\xff"):
        headers = [
            (b"X-Hub-Signature-256", signature.encode("latin-1")),
            (b"X-GitHub-Event", b"push"),
        ]
        assert_problem(hooked.client.post(path, json=push(), headers=headers), 403)
    assert hooked.status(source)["status"] == "idle"


def test_without_a_secret_every_webhook_is_refused(hub: Hub) -> None:
    source = hub.create_source(hub.create_project(), hub.server.create())
    assert_problem(send_webhook(hub, source, push(), secret=""), 403)


@pytest.mark.parametrize("payload", [[], "x", None])
def test_a_signed_webhook_with_a_wrong_payload_or_source_is_refused(
    hooked: Hub, payload: object
) -> None:
    source = hooked.create_source(hooked.create_project(), hooked.server.create())
    assert_problem(send_webhook(hooked, source, payload), 400)
    unknown = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
    assert_problem(send_webhook(hooked, unknown, push()), 404)


def test_a_push_above_the_limit_of_other_bodies_syncs(hooked: Hub) -> None:
    remote = hooked.server.create()
    remote.commit({"a.md": b"x"})
    source = hooked.create_source(hooked.create_project(), remote)
    payload = push("refs/heads/perhaps-another") | {"commits": ["x" * MAX_BODY_BYTES]}
    assert_problem(send_webhook(hooked, source, payload, secret="another"), 403)
    assert hooked.status(source)["status"] == "idle"
    response = send_webhook(hooked, source, payload)
    assert response.status_code == 202
    assert hooked.wait(response.headers["location"])["added"] == 1


def test_a_webhook_may_have_25_mib_and_no_more(hooked: Hub) -> None:
    source = hooked.create_source(hooked.create_project(), hooked.server.create())
    fitting = "x" * (MAX_WEBHOOK_BYTES - len(json.dumps("")))
    assert send_webhook(hooked, source, fitting, event="other").status_code == 200
    assert_problem(send_webhook(hooked, source, f"{fitting}x", event="other"), 413)


def test_a_push_during_a_run_starts_another_run(hooked: Hub) -> None:
    remote = hooked.server.create()
    remote.commit({"a.md": b"old" * 1000})
    project = hooked.create_project()
    source = hooked.create_source(project, remote)
    hooked.server.behaviour.stall_after = 100
    first = hooked.client.post(f"/api/project-docs/{source}/sync").headers["location"]
    eventually(lambda: len(hooked.server.requests) >= 2)
    remote.commit({"a.md": b"new" * 1000})
    assert send_webhook(hooked, source, push()).headers["location"] == first
    hooked.server.behaviour.resume.set()
    assert hooked.wait(first)["status"] == "completed"
    eventually(lambda: hooked.document(project, "a.md")["content"].startswith("new"))
    assert len(hooked.client.get(f"/api/project-docs/{source}/syncs").json()) == 2
