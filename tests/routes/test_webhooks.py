from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from service.web.middleware import MAX_BODY_BYTES, MAX_WEBHOOK_BYTES
from service.webhooks.hosts import SYSTEM_HOOK
from tests.support.deliveries import (
    AFTER,
    BEFORE,
    BITBUCKET,
    DATA_CENTER,
    FORGEJO,
    GITEA,
    GITHUB,
    GITLAB,
    SECRETS,
    SENDERS,
    SIGNING_GITLAB,
    SIGNING_KEY,
    SIGNING_TOKEN,
    ZEROS,
    Delivery,
    Sender,
    digest,
    standard_signature,
)
from tests.support.hub import Hub, running_hub
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import json_log
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.support.git_server import Remote

TOKEN = "a token of the API's"
every_sender = pytest.mark.parametrize("sender", SENDERS, ids=str)


@pytest.fixture
def hooked(database: str, tmp_path: Path) -> Iterator[Hub]:
    """The hub with secrets for webhooks, and with a token, which webhooks need not send."""
    with running_hub(database, tmp_path, **SECRETS, api_token=TOKEN) as hub:
        hub.client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield hub


@pytest.fixture
def signing(database: str, tmp_path: Path) -> Iterator[Hub]:
    """The hub with a signing token of GitLab."""
    secrets = SECRETS | {"gitlab_webhook_secret": SIGNING_TOKEN}
    with running_hub(database, tmp_path, **secrets) as hub:
        yield hub


def make_remote(hub: Hub) -> Remote:
    remote = hub.server.create("team/docs")
    remote.commit({"a.md": b"x"})
    return remote


def make_source(hub: Hub, **fields: Any) -> tuple[str, Remote]:
    remote = make_remote(hub)
    return hub.create_source(hub.create_project(), remote, **fields), remote


def sign_nothing(_secret: str, _body: bytes) -> dict[str, str]:
    return {}


def assert_ignored(response: httpx.Response, message: str) -> None:
    assert response.status_code == 200, response.text
    assert message in response.json()["message"]


@every_sender
def test_a_push_syncs_at_once_and_its_commit_is_awaited(hooked: Hub, sender: Sender) -> None:
    source, remote = make_source(hooked, branch="main")
    hooked.server.lag(2)
    before, after = remote.head(), remote.commit({"b.md": b"y"})
    response = sender.push(remote.url, after=after, before=before).send(hooked.client, source)
    assert response.status_code == 202
    run = hooked.wait(response.headers["location"])
    assert (run["commit_id"], run["awaited_commit_id"]) == (before, after)
    last = "select commit_id from sync_run where status = 'completed' order by created_at desc"
    eventually(lambda: run_sql(hooked.database, last)[0] == (after,), 30)


@every_sender
def test_a_push_to_the_default_branch_syncs_a_source_without_a_branch(
    hooked: Hub, sender: Sender
) -> None:
    source, remote = make_source(hooked)
    assert sender.push(remote.url).send(hooked.client, source).status_code == 202


@pytest.mark.parametrize("sender", [GITHUB, GITEA, FORGEJO], ids=str)
def test_a_form_is_read(hooked: Hub, sender: Sender) -> None:
    source, remote = make_source(hooked)
    form = sender.push(remote.url).but(is_form=True)
    assert form.send(hooked.client, source).status_code == 202
    assert_problem(form.but(secret="another").send(hooked.client, source), 403)
    assert_ignored(
        sender.push(remote.url, ref="refs/heads/other")
        .but(is_form=True)
        .send(hooked.client, source),
        "this branch",
    )


@every_sender
@pytest.mark.parametrize(
    ("branch", "changes", "message"),
    [
        ("release", {}, "this branch"),
        ("main", {"ref": "refs/tags/main"}, "this branch"),
        (None, {"ref": "refs/tags/v1"}, "this branch"),
        ("main", {"after": ZEROS}, "was deleted"),
        ("main", {"event": "issues"}, "this event"),
    ],
    ids=["another branch", "a tag", "a tag, no branch", "a deletion", "another event"],
)
def test_other_deliveries_do_nothing_and_say_so(
    hooked: Hub, sender: Sender, branch: str | None, changes: dict[str, str], message: str
) -> None:
    source, remote = make_source(hooked, branch=branch)
    assert_ignored(sender.push(remote.url, **changes).send(hooked.client, source), message)
    assert hooked.status(source)["status"] == "idle"


@pytest.mark.parametrize("sender", [GITHUB, GITLAB, GITEA], ids=str)
def test_a_push_beside_the_default_branch_does_nothing(hooked: Hub, sender: Sender) -> None:
    source, remote = make_source(hooked)
    delivery = sender.push(remote.url, ref="refs/heads/other")
    assert_ignored(delivery.send(hooked.client, source), "this branch")


@pytest.mark.parametrize("sender", [BITBUCKET, DATA_CENTER], ids=str)
def test_a_push_syncs_where_the_default_branch_is_not_told(hooked: Hub, sender: Sender) -> None:
    source, remote = make_source(hooked)
    response = sender.push(remote.url, ref="refs/heads/other").send(hooked.client, source)
    run = hooked.wait(response.headers["location"])
    assert run["awaited_commit_id"] is None
    deletion = sender.push(remote.url, after=ZEROS)
    assert_ignored(deletion.send(hooked.client, source), "this branch")


@pytest.mark.parametrize("sender", [BITBUCKET, DATA_CENTER], ids=str)
def test_a_push_to_the_default_branch_of_the_last_run_is_awaited(
    hooked: Hub, sender: Sender
) -> None:
    source, remote = make_source(hooked)
    hooked.sync(source)
    hooked.server.lag(10)
    before, after = remote.head(), remote.commit({"b.md": b"y"})
    other = sender.push(remote.url, ref="refs/heads/other", after=after, before=before)
    run = hooked.wait(other.send(hooked.client, source).headers["location"])
    assert run["awaited_commit_id"] is None
    push = sender.push(remote.url, after=after, before=before)
    run = hooked.wait(push.send(hooked.client, source).headers["location"])
    assert (run["commit_id"], run["awaited_commit_id"]) == (before, after)


def test_one_of_several_changes_of_a_push_is_enough(hooked: Hub) -> None:
    source, remote = make_source(hooked, branch="main")
    payload = BITBUCKET.push(remote.url).payload
    other = BITBUCKET.push(remote.url, ref="refs/heads/other").payload
    payload["push"]["changes"] = other["push"]["changes"] + payload["push"]["changes"]
    assert BITBUCKET.deliver(payload).send(hooked.client, source).status_code == 202


def test_a_system_hook_of_gitlab_syncs_after_a_push_alone(hooked: Hub) -> None:
    source, remote = make_source(hooked)
    hook = GITLAB.push(remote.url, event=SYSTEM_HOOK)
    # As GitLab documents it: not each version says the kind twice.
    hook = hook.but(payload={**hook.payload, "object_kind": None})
    assert hook.send(hooked.client, source).status_code == 202
    other = GITLAB.deliver({"event_name": "project_create"}, event=SYSTEM_HOOK)
    assert_ignored(other.send(hooked.client, source), "this event")
    tag = GITLAB.push(remote.url, ref="refs/tags/v1", event=SYSTEM_HOOK)
    assert_ignored(tag.send(hooked.client, source), "this event")


def repository_update(url: str, *changes: tuple[str, str]) -> Delivery:
    """The one event of a push that GitLab's system hooks send unless they are told otherwise."""
    payload = {
        "event_name": "repository_update",
        "project": GITLAB.push(url).payload["project"],
        "changes": [{"before": BEFORE, "after": after, "ref": ref} for ref, after in changes],
        "refs": [ref for ref, _ in changes],
    }
    return GITLAB.deliver(payload, event=SYSTEM_HOOK)


def test_an_update_of_a_repository_syncs_and_its_commit_is_awaited(hooked: Hub) -> None:
    source, remote = make_source(hooked, branch="main")
    changes = (("refs/tags/v1", "1" * 40), ("refs/heads/main", AFTER))
    response = repository_update(remote.url, *changes).send(hooked.client, source)
    assert response.status_code == 202, response.text
    assert run_sql(hooked.database, "select commit_id from push") == [(AFTER,)]


@pytest.mark.parametrize(
    ("ref", "after", "message"),
    [
        ("refs/tags/main", AFTER, "this branch"),
        ("refs/heads/other", AFTER, "this branch"),
        ("refs/heads/main", ZEROS, "was deleted"),
    ],
)
def test_an_update_of_other_refs_of_a_repository_does_nothing(
    hooked: Hub, ref: str, after: str, message: str
) -> None:
    source, remote = make_source(hooked)
    assert_ignored(repository_update(remote.url, (ref, after)).send(hooked.client, source), message)


@pytest.mark.parametrize(
    ("sender", "event", "payload"),
    [
        (GITHUB, "ping", {"zen": "Keep it logically awesome.", "hook_id": 1}),
        (DATA_CENTER, "diagnostics:ping", {"test": True}),
    ],
    ids=["GitHub", "Bitbucket Data Center"],
)
def test_a_ping_is_told_that_the_webhook_works(
    hooked: Hub, sender: Sender, event: str, payload: object
) -> None:
    source, _ = make_source(hooked)
    delivery = sender.deliver(payload, event=event)
    assert_ignored(delivery.send(hooked.client, source), "The webhook works")
    assert_problem(delivery.but(secret="another").send(hooked.client, source), 403)
    assert hooked.status(source)["status"] == "idle"


@pytest.mark.parametrize(
    ("sender", "event"), [(GITHUB, "ping"), (DATA_CENTER, "diagnostics:ping")], ids=str
)
def test_a_ping_of_another_repository_is_not_told_that_the_webhook_works(
    hooked: Hub, sender: Sender, event: str
) -> None:
    source, remote = make_source(hooked)
    ping = sender.push("https://git.example/team/other", event=event)
    assert_ignored(ping.send(hooked.client, source), f"another repository than {remote.url}")


@every_sender
@pytest.mark.parametrize(
    "url",
    ["https://git.example/team/other", "https://other.example/team/docs"],
    ids=["another path", "another host"],
)
def test_a_push_to_another_repository_does_nothing_and_says_so(
    hooked: Hub, sender: Sender, url: str
) -> None:
    source, remote = make_source(hooked)
    response = sender.push(url).send(hooked.client, source)
    assert_ignored(response, f"another repository than {remote.url}")
    assert hooked.status(source)["status"] == "idle"


def test_a_push_to_another_repository_is_logged_without_its_name(
    database: str, tmp_path: Path
) -> None:
    with json_log() as log, running_hub(database, tmp_path, **SECRETS) as hub:
        source, _ = make_source(hub)
        GITHUB.push("https://git.example/team/other").send(hub.client, source)
    [line] = [line for line in log().splitlines() if "webhook_of_another_repository" in line]
    assert json.loads(line)["project_doc_id"] == source
    assert "team/other" not in log()


def test_a_payload_without_the_repository_syncs(hooked: Hub) -> None:
    source, _ = make_source(hooked, branch="main")
    delivery = GITHUB.deliver({"ref": "refs/heads/main"})
    assert delivery.send(hooked.client, source).status_code == 202


@every_sender
def test_a_delivery_that_comes_again_does_nothing_and_says_so(hooked: Hub, sender: Sender) -> None:
    source, remote = make_source(hooked, branch="main")
    delivery = sender.push(remote.url, after=remote.head())
    first = delivery.send(hooked.client, source)
    assert first.status_code == 202
    hooked.wait(first.headers["location"])
    assert_ignored(delivery.send(hooked.client, source), "was received before")
    another = sender.push(remote.url, after=remote.head())
    assert another.send(hooked.client, source).status_code == 202


def test_a_delivery_is_known_by_the_event_and_the_commit_where_gitlab_sends_no_other_id(
    hooked: Hub,
) -> None:
    source, remote = make_source(hooked)

    def deliver(commit: str) -> httpx.Response:
        delivery = GITLAB.push(remote.url, after=commit)
        headers = {
            "X-Gitlab-Event": "Push Hook",
            "X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e",
        }
        return delivery.but(headers=headers).send(hooked.client, source)

    assert deliver(AFTER).status_code == 202
    assert_ignored(deliver(AFTER), "was received before")
    # A push that a job did because of the first has the same event.
    assert deliver(remote.head()).status_code == 202


@pytest.mark.parametrize("id_", ["", "x" * 1000, "\u00e9"], ids=["empty", "long", "not ASCII"])
def test_a_delivery_with_an_unusable_id_is_a_new_one(hooked: Hub, id_: str) -> None:
    source, remote = make_source(hooked)
    delivery = GITHUB.push(remote.url)
    body, headers = delivery.request()
    headers["X-GitHub-Delivery"] = id_
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    path = f"/api/project-docs/{source}/webhook"
    for _ in range(2):
        assert hooked.client.post(path, content=body, headers=sent).status_code == 202


def test_a_delivery_that_met_a_fault_may_be_sent_again(hooked: Hub) -> None:
    source, remote = make_source(hooked)
    delivery = GITHUB.push(remote.url)
    run_sql(hooked.database, "alter table sync_run rename to hidden")
    assert_problem(delivery.send(hooked.client, source), 500)
    run_sql(hooked.database, "alter table hidden rename to sync_run")
    assert delivery.send(hooked.client, source).status_code == 202


@every_sender
def test_a_delivery_without_its_proof_is_refused(hooked: Hub, sender: Sender) -> None:
    source, remote = make_source(hooked)
    delivery = sender.push(remote.url)
    assert_problem(delivery.but(secret="another").send(hooked.client, source), 403)
    assert_problem(delivery.but(secret="").send(hooked.client, source), 403)
    assert_problem(delivery.but(sign=sign_nothing).send(hooked.client, source), 403)
    # The secrets of other hosts prove nothing, in their own headers neither.
    for other in SENDERS:
        if other.setting != sender.setting:
            forged = delivery.but(secret=SECRETS[other.setting])
            assert_problem(forged.send(hooked.client, source), 403)
            assert_problem(forged.but(sign=other.sign).send(hooked.client, source), 403)
    assert hooked.status(source)["status"] == "idle"


@pytest.mark.parametrize(
    ("sender", "header"),
    [
        (GITEA, "X-Gitea-Signature"),
        (GITEA, "X-Gogs-Signature"),
        (GITEA, "X-Hub-Signature-256"),
        (FORGEJO, "X-Forgejo-Signature"),
        (BITBUCKET, "X-Hub-Signature"),
    ],
    ids=str,
)
def test_every_signature_of_a_delivery_has_to_be_right(
    hooked: Hub, sender: Sender, header: str
) -> None:
    source, remote = make_source(hooked)
    delivery = sender.push(remote.url)
    body, headers = delivery.request()
    path = f"/api/project-docs/{source}/webhook"
    for wrong in (digest("another", body), ""):
        sent = [*headers.items(), (header, f"sha256={wrong}")]
        assert_problem(hooked.client.post(path, content=body, headers=sent), 403)
    assert hooked.client.post(path, content=body, headers=headers).status_code == 202


@pytest.mark.parametrize("signature", ["", "sha256=", "sha1=0", "\xff", "sha256=" + "G" * 64])
def test_a_malformed_signature_is_refused(hooked: Hub, signature: str) -> None:
    source, _ = make_source(hooked)
    path = f"/api/project-docs/{source}/webhook"
    headers = [
        (b"X-Hub-Signature-256", signature.encode("latin-1")),
        (b"X-GitHub-Event", b"push"),
    ]
    assert_problem(hooked.client.post(path, json={}, headers=headers), 403)


def test_a_delivery_of_no_known_host_is_refused(hooked: Hub) -> None:
    source, _ = make_source(hooked)
    path = f"/api/project-docs/{source}/webhook"
    origin = {"Origin": "http://localhost:3000"}
    refused = hooked.client.post(path, headers=origin)
    assert_problem(refused, 403)
    assert refused.headers["access-control-allow-origin"] == origin["Origin"]
    body = b"{}"
    signed = {"X-Hub-Signature-256": f"sha256={digest(SECRETS['github_webhook_secret'], body)}"}
    assert_problem(hooked.client.post(path, content=body, headers=signed), 403)


def test_the_secret_token_of_gitlab_is_no_proof_where_a_signing_token_is_set(signing: Hub) -> None:
    source, remote = make_source(signing)
    push = SIGNING_GITLAB.push(remote.url)
    assert push.send(signing.client, source).status_code == 202
    plain = push.but(sign=GITLAB.sign, secret=SIGNING_TOKEN)
    assert_problem(plain.send(signing.client, source), 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1a," + "A" * 43 + "="},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": ""},
        {"webhook-id": "another"},
        standard_signature(b"another", b"{}"),
        standard_signature(SIGNING_KEY, b"{}", timestamp=time.time() - 310),
        standard_signature(SIGNING_KEY, b"{}", timestamp=time.time() + 3000),
    ],
)
def test_a_wrong_signature_of_gitlab_is_refused(signing: Hub, headers: dict[str, str]) -> None:
    source, _ = make_source(signing)
    sent = {"X-Gitlab-Event": "Push Hook"} | standard_signature(SIGNING_KEY, b"{}") | headers
    path = f"/api/project-docs/{source}/webhook"
    assert_problem(signing.client.post(path, content=b"{}", headers=sent), 403)


def test_one_of_several_signatures_of_gitlab_is_enough(signing: Hub) -> None:
    source, remote = make_source(signing)

    def sign_twice(_: str, body: bytes) -> dict[str, str]:
        right = standard_signature(SIGNING_KEY, body)
        wrong = standard_signature(b"a key that is not used any more", body)
        both = f"{wrong['webhook-signature']} {right['webhook-signature']}"
        return right | {"webhook-signature": both}

    delivery = SIGNING_GITLAB.push(remote.url).but(sign=sign_twice)
    assert delivery.send(signing.client, source).status_code == 202


@every_sender
def test_without_a_secret_every_delivery_is_refused(
    database: str, tmp_path: Path, sender: Sender
) -> None:
    others = {name: secret for name, secret in SECRETS.items() if name != sender.setting}
    with running_hub(database, tmp_path, **others) as hub:
        source, remote = make_source(hub)
        for secret in ("", SECRETS[sender.setting], *others.values()):
            refused = sender.push(remote.url).but(secret=secret).send(hub.client, source)
            assert sender.setting.upper() in assert_problem(refused, 403)["detail"]


@pytest.mark.parametrize("payload", [[], "x", None])
def test_a_signed_delivery_with_a_wrong_payload_or_source_is_refused(
    hooked: Hub, payload: object
) -> None:
    source, remote = make_source(hooked)
    assert_problem(GITHUB.deliver(payload).send(hooked.client, source), 400)
    unknown = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
    assert_problem(GITHUB.push(remote.url).send(hooked.client, unknown), 404)


@every_sender
@pytest.mark.parametrize("is_form", [False, True], ids=["JSON", "form"])
def test_a_push_above_the_limit_of_other_bodies_syncs(
    hooked: Hub, sender: Sender, is_form: bool
) -> None:
    source, _ = make_source(hooked)
    delivery = sender.push("https://git.example/team/perhaps-another", ref="refs/heads/perhaps")
    delivery = delivery.but(is_form=is_form)
    delivery.payload["commits"] = ["+ \u00e9&=%" * (MAX_BODY_BYTES // 8)]
    assert_problem(delivery.but(secret="another").send(hooked.client, source), 403)
    assert hooked.status(source)["status"] == "idle"
    assert delivery.send(hooked.client, source).status_code == 202


def test_a_webhook_may_have_25_mib_and_no_more(hooked: Hub) -> None:
    source, _ = make_source(hooked)
    fitting = "x" * (MAX_WEBHOOK_BYTES - len(json.dumps("")))
    response = GITHUB.deliver(fitting, event="other").send(hooked.client, source)
    assert_ignored(response, "this event")
    too_large = GITHUB.deliver(f"{fitting}x", event="other")
    assert_problem(too_large.send(hooked.client, source), 413)


def test_a_push_during_a_run_starts_another_run(hooked: Hub) -> None:
    remote = hooked.server.create()
    remote.commit({"a.md": b"old" * 1000})
    project = hooked.create_project()
    source = hooked.create_source(project, remote)
    hooked.server.behaviour.stall_after = 100
    first = hooked.client.post(f"/api/project-docs/{source}/sync").headers["location"]
    eventually(lambda: len(hooked.server.requests) >= 2)
    pushed = remote.commit({"a.md": b"new" * 1000})
    queued = {
        GITHUB.push(remote.url, after=pushed).send(hooked.client, source).headers["location"]
        for _ in range(3)
    }
    assert len(queued) == 1
    (second,) = queued
    assert second != first
    # A request for a sync is given the queued run, and people see how the running one gets on.
    requested = hooked.client.post(f"/api/project-docs/{source}/sync").headers["location"]
    assert requested == second
    assert hooked.client.get(second).json()["status"] == "queued"
    assert hooked.client.get(first).json()["status"] == "running"
    assert hooked.status(source)["status"] == "syncing"
    (listed,) = hooked.client.get(f"/api/projects/{project}/docs").json()
    shown = hooked.client.get(f"/api/project-docs/{source}").json()
    assert first.endswith(listed["last_run"]["id"])
    assert first.endswith(shown["last_run"]["id"])
    hooked.server.behaviour.resume.set()
    assert hooked.wait(first)["status"] == "completed"
    assert hooked.wait(second)["status"] == "completed"
    assert hooked.document(project, "a.md")["content"].startswith("new")
    assert len(hooked.client.get(f"/api/project-docs/{source}/syncs").json()) == 2
