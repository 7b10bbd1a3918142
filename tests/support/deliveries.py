"""Deliveries of webhooks, with the headers and the fields that each host documents.

    delivery = GITLAB.push(remote.url, after=commit)
    response = delivery.send(client, source)

Where the documentation is: see service/webhooks/hosts.py.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import uuid4

if TYPE_CHECKING:
    import httpx

ZEROS = "0" * 40
BEFORE = "28e1879d029cb852e4844d9c718537df08844e03"
AFTER = "bffeb74224043ba2feb48d137756c8a9331c449a"
SECRETS = {
    "github_webhook_secret": "a secret of GitHub's",
    "gitlab_webhook_secret": "a token of GitLab's",
    "gitea_webhook_secret": "a secret of Gitea's",
    "bitbucket_webhook_secret": "a secret of Bitbucket's",
}
SIGNING_KEY = b"a key of GitLab's, with 32 bytes"
SIGNING_TOKEN = f"whsec_{b64encode(SIGNING_KEY).decode()}"

Payload = dict[str, Any]


def digest(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One request of a host; `sign` returns the headers that prove it."""

    payload: Any
    headers: Mapping[str, str]
    secret: str
    sign: Callable[[str, bytes], dict[str, str]] = field(repr=False)
    is_form: bool = False
    # Gitea signs the payload that it sends in a form, and not the form.
    signs_payload: bool = False

    def but(self, **changes: Any) -> Delivery:
        return replace(self, **changes)

    def with_headers(self, **headers: str) -> Delivery:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})

    def request(self) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers."""
        payload = body = json.dumps(self.payload).encode()
        media_type = "application/json"
        if self.is_form:
            body = urlencode({"payload": payload.decode()}).encode()
            media_type = "application/x-www-form-urlencoded"
        proof = self.sign(self.secret, payload if self.signs_payload else body)
        return body, {"Content-Type": media_type, "Authorization": "", **self.headers, **proof}

    def send(self, client: httpx.Client, source: str) -> httpx.Response:
        body, headers = self.request()
        path = f"/api/project-docs/{source}/webhook"
        return client.post(path, content=body, headers=headers)


@dataclass(frozen=True, kw_only=True)
class Sender:
    """A host. `make_payload` takes the URL, the ref, the commits and the default branch."""

    name: str
    setting: str
    make_payload: Callable[..., Payload]
    make_headers: Callable[[str, str], dict[str, str]]
    sign: Callable[[str, bytes], dict[str, str]]
    push_event: str = "push"
    signs_payload: bool = False

    def __str__(self) -> str:
        """Return the name, which a test's id has."""
        return self.name

    def push(
        self,
        url: str,
        *,
        ref: str = "refs/heads/main",
        after: str = AFTER,
        before: str = BEFORE,
        default: str = "main",
        id_: str | None = None,
        event: str | None = None,
    ) -> Delivery:
        payload = self.make_payload(url.removesuffix(".git"), ref, after, before, default)
        return self.deliver(payload, event=event, id_=id_)

    def deliver(
        self, payload: object, *, event: str | None = None, id_: str | None = None
    ) -> Delivery:
        return Delivery(
            payload=payload,
            headers=self.make_headers(event or self.push_event, id_ or str(uuid4())),
            secret=SECRETS[self.setting],
            sign=self.sign,
            signs_payload=self.signs_payload,
        )


def _name(url: str) -> str:
    return "/".join(url.split("/")[-2:])


def _github_payload(url: str, ref: str, after: str, before: str, default: str) -> Payload:
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": before == ZEROS,
        "deleted": after == ZEROS,
        "forced": False,
        "commits": [],
        "repository": {
            "id": 1,
            "full_name": _name(url),
            "html_url": url,
            "clone_url": f"{url}.git",
            "ssh_url": f"git@git.example:{_name(url)}.git",
            "default_branch": default,
        },
        "sender": {"login": "someone"},
    }


def _gitlab_payload(url: str, ref: str, after: str, before: str, default: str) -> Payload:
    kind = "tag_push" if ref.startswith("refs/tags/") else "push"
    return {
        "object_kind": kind,
        "event_name": kind,
        "before": before,
        "after": after,
        "ref": ref,
        "checkout_sha": None if after == ZEROS else after,
        "project_id": 15,
        "project": {
            "id": 15,
            "web_url": url,
            "git_ssh_url": f"git@git.example:{_name(url)}.git",
            "git_http_url": f"{url}.git",
            "path_with_namespace": _name(url),
            "default_branch": default,
        },
        "repository": {"name": "docs", "homepage": url, "git_http_url": f"{url}.git"},
        "commits": [],
        "total_commits_count": 0,
    }


def _gitea_payload(url: str, ref: str, after: str, before: str, default: str) -> Payload:
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "compare_url": f"{url}/compare/{before}...{after}",
        "commits": [],
        "repository": {
            "id": 140,
            "full_name": _name(url),
            "html_url": url,
            "ssh_url": f"git@git.example:{_name(url)}.git",
            "clone_url": f"{url}.git",
            "default_branch": default,
        },
        "pusher": {"login": "someone"},
    }


def _bitbucket_payload(url: str, ref: str, after: str, before: str, default: str) -> Payload:
    _, kind, name = ref.split("/", 2)
    type_ = "tag" if kind == "tags" else "branch"

    def state(commit: str) -> Payload | None:
        if commit == ZEROS:
            return None
        return {"type": type_, "name": name, "target": {"type": "commit", "hash": commit}}

    change: Payload = {
        "old": state(before),
        "new": state(after),
        "created": before == ZEROS,
        "closed": after == ZEROS,
        "forced": False,
        "commits": [],
    }
    repository = {
        "type": "repository",
        "full_name": _name(url),
        "links": {
            "self": {"href": f"https://api.git.example/2.0/repositories/{_name(url)}"},
            "html": {"href": url},
        },
    }
    # The default branch is not a part of it.
    return {"actor": {}, "repository": repository, "push": {"changes": [change]}}


def _data_center_payload(url: str, ref: str, after: str, before: str, default: str) -> Payload:
    _, kind, name = ref.split("/", 2)
    change_type = {before: "ADD", after: "DELETE"}.get(ZEROS, "UPDATE")
    change = {
        "ref": {"id": ref, "displayId": name, "type": "TAG" if kind == "tags" else "BRANCH"},
        "refId": ref,
        "fromHash": before,
        "toHash": after,
        "type": change_type,
    }
    clone = [
        {"href": f"ssh://git@git.example:7999/{_name(url)}.git", "name": "ssh"},
        {"href": f"{url}.git", "name": "http"},
    ]
    return {
        "eventKey": "repo:refs_changed",
        "actor": {"name": "someone"},
        "repository": {
            "slug": "docs",
            "project": {"key": "TEAM"},
            "links": {"clone": clone, "self": [{"href": f"{url}/browse"}]},
        },
        "changes": [change],
    }


def _data_center_headers(event: str, id_: str) -> dict[str, str]:
    return {"X-Event-Key": event, "X-Request-Id": id_}


def _names_of_gitea(*vendors: str) -> Callable[[str, str], dict[str, str]]:
    def make(event: str, id_: str) -> dict[str, str]:
        return {
            f"X-{vendor}-{name}": value
            for vendor in (*vendors, "Gogs", "GitHub")
            for name, value in (("Event", event), ("Event-Type", event), ("Delivery", id_))
        }

    return make


def _signs_of_gitea(*vendors: str) -> Callable[[str, bytes], dict[str, str]]:
    def sign(secret: str, body: bytes) -> dict[str, str]:
        alone = {f"X-{vendor}-Signature": digest(secret, body) for vendor in (*vendors, "Gogs")}
        old = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
        return {
            **alone,
            "X-Hub-Signature": f"sha1={old}",
            "X-Hub-Signature-256": f"sha256={digest(secret, body)}",
        }

    return sign


def _sign_by_token(_: str, body: bytes) -> dict[str, str]:
    """Sign with SIGNING_TOKEN, as GitLab does since 19.0."""
    return standard_signature(SIGNING_KEY, body)


def standard_signature(
    key: bytes, body: bytes, id_: str = "", timestamp: float | None = None
) -> dict[str, str]:
    id_ = id_ or str(uuid4())
    seconds = str(int(time.time() if timestamp is None else timestamp))
    signed = f"{id_}.{seconds}.".encode() + body
    signature = b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {
        "webhook-id": id_,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{signature}",
    }


GITHUB = Sender(
    name="GitHub",
    setting="github_webhook_secret",
    make_payload=_github_payload,
    make_headers=lambda event, id_: {
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": id_,
        "X-GitHub-Hook-ID": "292430182",
    },
    sign=lambda secret, body: {
        "X-Hub-Signature": "sha1=0123456789abcdef0123456789abcdef01234567",
        "X-Hub-Signature-256": f"sha256={digest(secret, body)}",
    },
)
GITLAB = Sender(
    name="GitLab",
    setting="gitlab_webhook_secret",
    make_payload=_gitlab_payload,
    make_headers=lambda event, id_: {
        "User-Agent": "GitLab/17.4.0",
        "X-Gitlab-Event": event,
        "X-Gitlab-Event-UUID": str(uuid4()),
        "X-Gitlab-Webhook-UUID": "02affd2d-2cba-4033-917d-ec22d5dc4b38",
        "Idempotency-Key": id_,
    },
    sign=lambda secret, _: {"X-Gitlab-Token": secret},
    push_event="Push Hook",
)
GITEA = Sender(
    name="Gitea",
    setting="gitea_webhook_secret",
    make_payload=_gitea_payload,
    make_headers=_names_of_gitea("Gitea"),
    sign=_signs_of_gitea("Gitea"),
    signs_payload=True,
)
FORGEJO = replace(
    GITEA,
    name="Forgejo",
    make_headers=_names_of_gitea("Forgejo", "Gitea"),
    sign=_signs_of_gitea("Forgejo", "Gitea"),
)
BITBUCKET = Sender(
    name="Bitbucket Cloud",
    setting="bitbucket_webhook_secret",
    make_payload=_bitbucket_payload,
    make_headers=lambda event, id_: {
        "User-Agent": "Bitbucket-Webhooks/2.0",
        "X-Event-Key": event,
        "X-Hook-UUID": "8f64b6b4-1e4d-4e2d-9d3a-0a6a4b3f9c11",
        "X-Request-UUID": id_,
        "X-Attempt-Number": "1",
    },
    sign=lambda secret, body: {"X-Hub-Signature": f"sha256={digest(secret, body)}"},
    push_event="repo:push",
)
DATA_CENTER = replace(
    BITBUCKET,
    name="Bitbucket Data Center",
    make_payload=_data_center_payload,
    make_headers=_data_center_headers,
    push_event="repo:refs_changed",
)
SENDERS = (GITHUB, GITLAB, GITEA, FORGEJO, BITBUCKET, DATA_CENTER)
# GitLab with a signing token in place of the secret token.
SIGNING_GITLAB = replace(GITLAB, name="GitLab with a signing token", sign=_sign_by_token)
