"""The hosts that send webhooks: their headers, and how a delivery proves that it is theirs."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode
from binascii import Error as Base64Error
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.datastructures import Headers

HEX_DIGEST: Final = re.compile("[0-9a-f]{64}")
SHA256: Final = "sha256="

# GitLab's signing tokens, which are keys in base64: with one GitLab signs the body. Without one it
# sends its secret token in a header.
SIGNING_TOKEN: Final = "whsec_"  # noqa: S105, a prefix
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
STANDARD_SIGNATURE: Final = re.compile("v1,([A-Za-z0-9+/]{43}=)")
TIMESTAMP: Final = re.compile("[0-9]{1,12}")
CLOCK_SECONDS: Final = 300.0

# The event of the hooks of a whole GitLab server: `event_name` in the payload tells which it is. By
# default the only one of a push is repository_update, with all changed refs.
# https://docs.gitlab.com/administration/system_hooks/
SYSTEM_HOOK: Final = "System Hook"
SYSTEM_HOOK_PUSHES: Final = ("push", "repository_update")

# What a delivery's id may be; another one counts as none.
DELIVERY_ID: Final = re.compile(r"[!-~]{1,150}")


@dataclass(frozen=True, kw_only=True)
class WebhookHost:
    """A kind of host: the names of its headers, in lower case, and of its events."""

    name: str
    # The name of the setting with its secret.
    setting: str
    event_headers: tuple[str, ...]
    push_events: tuple[str, ...]
    ping_events: tuple[str, ...] = ()
    # Each has the HMAC-SHA256 of the body in hexadecimal, after `sha256=` or alone.
    signature_headers: tuple[str, ...] = ()
    # The first of these that a delivery has is its id.
    id_headers: tuple[str, ...]
    # Without those, this header and the commit are the id: related deliveries share the header.
    shared_id_header: str | None = None


# https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
GITHUB: Final = WebhookHost(
    name="GitHub",
    setting="GITHUB_WEBHOOK_SECRET",
    event_headers=("x-github-event",),
    push_events=("push",),
    ping_events=("ping",),
    signature_headers=("x-hub-signature-256",),
    id_headers=("x-github-delivery",),
)
# https://docs.gitlab.com/user/project/integrations/webhooks/
GITLAB: Final = WebhookHost(
    name="GitLab",
    setting="GITLAB_WEBHOOK_SECRET",
    event_headers=("x-gitlab-event",),
    push_events=("Push Hook", SYSTEM_HOOK),
    id_headers=("webhook-id", "idempotency-key"),
    shared_id_header="x-gitlab-event-uuid",
)
# https://docs.gitea.com/usage/repository/webhooks, https://forgejo.org/docs/latest/user/webhooks/.
# They send the headers of each other, of Gogs and of GitHub, too.
GITEA: Final = WebhookHost(
    name="Gitea or Forgejo",
    setting="GITEA_WEBHOOK_SECRET",
    event_headers=("x-forgejo-event", "x-gitea-event", "x-gogs-event"),
    push_events=("push",),
    ping_events=("ping",),
    signature_headers=(
        "x-forgejo-signature",
        "x-gitea-signature",
        "x-gogs-signature",
        "x-hub-signature-256",
    ),
    id_headers=("x-forgejo-delivery", "x-gitea-delivery", "x-gogs-delivery"),
)
# https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/ and, for Data Center,
# https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html.
BITBUCKET: Final = WebhookHost(
    name="Bitbucket",
    setting="BITBUCKET_WEBHOOK_SECRET",
    event_headers=("x-event-key",),
    push_events=("repo:push", "repo:refs_changed"),
    ping_events=("diagnostics:ping",),
    signature_headers=("x-hub-signature",),
    id_headers=("x-request-uuid", "x-request-id"),
)
# Gitea before GitHub, whose event header Gitea sends, too.
HOSTS: Final = (GITLAB, BITBUCKET, GITEA, GITHUB)


class UnprovenError(Exception):
    """A delivery does not prove that it is its host's; `str()` is a sentence for its sender."""


def find_host(headers: Headers) -> WebhookHost | None:
    """Return the host whose event header the delivery has."""
    return next((host for host in HOSTS if read_event(host, headers) is not None), None)


def read_event(host: WebhookHost, headers: Headers) -> str | None:
    """Return the event's name."""
    return next((headers[name] for name in host.event_headers if name in headers), None)


def read_delivery_id(host: WebhookHost, headers: Headers, commit: str | None) -> str | None:
    """Return the host's id of a delivery of `commit`; it stays the same when it is sent again."""
    for name in host.id_headers:
        if DELIVERY_ID.fullmatch(headers.get(name, "")):
            return headers[name]
    shared = headers.get(host.shared_id_header or "", "")
    return f"{shared} {commit}" if commit and DELIVERY_ID.fullmatch(shared) else None


class Proof:
    """The check of one delivery: fed with what was signed, it tells whether the signatures fit."""

    def __init__(self, key: bytes, wanted: list[set[bytes]], prefix: bytes = b"") -> None:
        """One digest of each set in `wanted` has to be that of `prefix` and what was signed."""
        self._wanted = wanted
        self._hmac = hmac.new(key, prefix, hashlib.sha256)

    def copy(self) -> Proof:
        """Return the same check, to be fed with something else."""
        other = copy(self)
        other._hmac = self._hmac.copy()
        return other

    def update(self, chunk: bytes) -> None:
        """Add the next part of what may have been signed."""
        self._hmac.update(chunk)

    def fits(self) -> bool:
        """Return whether that was signed."""
        digest = self._hmac.digest()
        return all(
            any(hmac.compare_digest(digest, given) for given in either) for either in self._wanted
        )


def begin_proof(host: WebhookHost, secret: str, headers: Headers, now: float) -> Proof:
    """Return the check of a delivery's body; raise UnprovenError where its headers fail already.

    `now` is in seconds since 1970. A delivery with several signatures needs all of them right.
    """
    if host is GITLAB:
        return _begin_proof_of_gitlab(secret, headers, now)
    given = [
        value.removeprefix(SHA256)
        for name in host.signature_headers
        for value in headers.getlist(name)
    ]
    if not given:
        raise UnprovenError(f"The delivery has no signature of {host.name}.")
    if not all(HEX_DIGEST.fullmatch(value) for value in given):
        raise UnprovenError("The signature is not an HMAC-SHA256 in hexadecimal.")
    return Proof(secret.encode(), [{bytes.fromhex(value)} for value in given])


def _begin_proof_of_gitlab(secret: str, headers: Headers, now: float) -> Proof:
    if not secret.startswith(SIGNING_TOKEN):
        token = headers.get("x-gitlab-token", "")
        if not hmac.compare_digest(token.encode("latin-1"), secret.encode()):
            raise UnprovenError("The secret token is not that of GITLAB_WEBHOOK_SECRET.")
        return Proof(b"", [])
    found = STANDARD_SIGNATURE.findall(headers.get("webhook-signature", ""))
    if not found:
        raise UnprovenError("The delivery has no signature of GitLab.")
    timestamp = headers.get("webhook-timestamp", "")
    if not TIMESTAMP.fullmatch(timestamp) or abs(now - int(timestamp)) > CLOCK_SECONDS:
        raise UnprovenError(
            f"The delivery's webhook-timestamp is more than {CLOCK_SECONDS:g} s from this "
            "machine's clock."
        )
    prefix = f"{headers.get('webhook-id', '')}.{timestamp}."
    return Proof(
        read_signing_key(secret),
        [{b64decode(signature) for signature in found}],
        prefix.encode("latin-1"),
    )


def read_signing_key(token: str) -> bytes:
    """Return the key of a signing token of GitLab; raise ValueError where it is none."""
    try:
        key = b64decode(token.removeprefix(SIGNING_TOKEN), validate=True)
    except Base64Error:
        key = b""
    if not key:
        raise ValueError("is not a signing token, which is whsec_ and base64")
    return key
