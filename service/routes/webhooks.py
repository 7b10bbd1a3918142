"""Webhooks: a push syncs its source at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs

import orjson
import structlog

from service.problems import Problem
from service.routes.shared import MISSING_SOURCE, STARTED_RESPONSE, read_id, started_response
from service.schemas.webhooks import PushSchema
from service.sync.pushes import Push
from service.sync.queue import QUEUE_FULL, request_sync_of_push
from service.web.bodies import json_response, parse_object
from service.web.middleware import MAX_BODY_BYTES
from service.web.operation import BodySpec, ResponseSpec, operation, parameter
from service.webhooks.hosts import (
    BITBUCKET,
    GITEA,
    GITHUB,
    GITLAB,
    SYSTEM_HOOK,
    SYSTEM_HOOK_PUSHES,
    UnprovenError,
    WebhookHost,
    begin_proof,
    find_host,
    read_delivery_id,
    read_event,
)
from service.webhooks.payloads import FormPayload, read_push_payload

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.state import Request

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

FORM: Final = "application/x-www-form-urlencoded"

WRONG_SIGNATURE: Final = "The signature does not fit the body."
NO_HOST: Final = "The delivery has no event header of GitHub, GitLab, Gitea or Bitbucket."

OTHER_EVENT: Final = "Nothing to do for this event."
PING: Final = "The webhook works: a push to the source's branch will sync it."
OTHER_BRANCH: Final = "Nothing to do for this branch."
DELETED_BRANCH: Final = "Nothing to do: the branch was deleted."
OTHER_REPOSITORY: Final = "Nothing to do: the delivery is of another repository than"
KNOWN_DELIVERY: Final = "Nothing to do: this delivery was received before."

EVENT_HEADERS: Final = {
    "X-GitHub-Event": "The event at GitHub: `push` or another.",
    "X-Gitlab-Event": "The event at GitLab: `Push Hook` or another.",
    "X-Gitea-Event": "The event at Gitea or Forgejo: `push` or another.",
    "X-Event-Key": "The event at Bitbucket: `repo:push`, `repo:refs_changed` or another.",
}
SIGNATURE_HEADERS: Final = {
    "X-Hub-Signature-256": "GitHub's: `sha256=` and the HMAC of the body, in hexadecimal.",
    "X-Gitlab-Token": "GitLab's secret token.",
    "webhook-signature": "GitLab's signature, where GITLAB_WEBHOOK_SECRET is a signing token.",
    "X-Gitea-Signature": "Gitea's and Forgejo's: the HMAC of the body, in hexadecimal.",
    "X-Hub-Signature": "Bitbucket's: `sha256=` and the HMAC of the body, in hexadecimal.",
}
PUSH_BODY: Final = BodySpec(
    schema=PushSchema,
    examples={
        "github": {
            "ref": "refs/heads/main",
            "after": "3f786850e387550fdab836ed7e6dc881de23001b",
            "repository": {"default_branch": "main"},
        },
        "bitbucket": {"push": {"changes": [{"new": {"type": "branch", "name": "main"}}]}},
    },
    is_any_type=True,
)
IGNORED_RESPONSE: Final = ResponseSpec(
    description="There is nothing to do for this delivery; `message` says why.",
    schema={"type": "object", "properties": {"message": {"type": "string"}}},
    examples={"event": {"message": OTHER_EVENT}, "delivery": {"message": KNOWN_DELIVERY}},
)


@operation(
    tag="syncs",
    parameters=tuple(
        parameter(name, "header", description)
        for name, description in (EVENT_HEADERS | SIGNATURE_HEADERS).items()
    ),
    body=PUSH_BODY,
    responses={200: IGNORED_RESPONSE, 202: STARTED_RESPONSE},
    problems={
        "invalid": "The body is not JSON.",
        "forbidden": WRONG_SIGNATURE,
        "unavailable": QUEUE_FULL,
    },
)
async def receive_webhook(request: Request) -> Response:
    """Receive a webhook from GitHub, GitLab, Gitea, Forgejo or Bitbucket.

    Syncs the source at once after a push to its branch. Other events, pushes to other branches or
    other repositories, deletions, and deliveries that were received before get 200 and change
    nothing. The event header tells the host, whose secret is in GITHUB_WEBHOOK_SECRET,
    GITLAB_WEBHOOK_SECRET, GITEA_WEBHOOK_SECRET (Forgejo's, too) or BITBUCKET_WEBHOOK_SECRET. The
    body is JSON, or a form whose field `payload` holds the JSON. A body may have 25 MiB; of one
    with more than 1 MiB neither the branch nor the repository is checked.
    """
    source_id = read_id(request, "id")
    delivery = await _read_delivery(request)
    row = await request.state["database"].fetch_row_or_404(
        "select github_url, branch, default_branch from project_doc where id = $1",
        source_id,
        missing=MISSING_SOURCE,
    )
    push = _choose_push(delivery, **row)
    if isinstance(push, str):
        if push.startswith(OTHER_REPOSITORY):
            log.warning("webhook_of_another_repository", project_doc_id=str(source_id))
        return _nothing_to_do(push)
    run_id = await request_sync_of_push(
        request.state["database"],
        source_id,
        push,
        read_delivery_id(delivery.host, request.headers, push.commit),
        request.state["settings"].sync_max_queued,
    )
    if run_id is None:
        return _nothing_to_do(KNOWN_DELIVERY)
    return started_response(request, source_id, run_id)


def _choose_push(
    delivery: Delivery, github_url: str, branch: str | None, default_branch: str | None
) -> Push | str:
    """Return the push to the source's branch, or why there is nothing to do for the delivery.

    The last parameters are the source's.
    """
    is_ping = delivery.event in delivery.host.ping_events
    if not is_ping and delivery.event not in delivery.host.push_events:
        return OTHER_EVENT
    if delivery.payload is None:
        return PING if is_ping else Push()
    payload = parse_object(delivery.payload)
    if delivery.event == SYSTEM_HOOK and payload.get("event_name") not in SYSTEM_HOOK_PUSHES:
        return OTHER_EVENT
    pushed = read_push_payload(payload)
    if not pushed.is_of(github_url):
        return f"{OTHER_REPOSITORY} {github_url}."
    if is_ping:
        return PING
    if (named := branch or pushed.default_branch) is not None:
        change = pushed.find_change(named)
        if change is None:
            return OTHER_BRANCH
        return DELETED_BRANCH if change.is_deleted else Push(change.commit, change.previous)
    # Bitbucket does not tell the default branch, and the one of the last run may be another by now.
    # So a push to any branch may be one to that: a needless sync does no harm.
    if not any(change.is_of_branch and not change.is_deleted for change in pushed.changes):
        return OTHER_BRANCH
    change = pushed.find_change(default_branch) if default_branch else None
    return Push(change.commit, change.previous) if change else Push()


def _nothing_to_do(message: str) -> Response:
    return json_response(orjson.dumps({"message": message}))


class Delivery(NamedTuple):
    """A delivery that its host has signed. The payload is None where the body is too large."""

    host: WebhookHost
    event: str
    payload: bytes | None


async def _read_delivery(request: Request) -> Delivery:
    """Return the delivery; raise the Problem `forbidden` where its signature is not right.

    Of a body with more than MAX_BODY_BYTES only the signature is checked. Then the push counts as
    one to the source's branch: a needless sync does no harm, and a lost push does.
    """
    headers = request.headers
    host = find_host(headers)
    event = host and read_event(host, headers)
    if host is None or event is None:
        raise Problem("forbidden", NO_HOST)
    secret = _secret(request, host)
    if secret is None:
        raise Problem(
            "forbidden",
            f"Webhooks of {host.name} are off: the operator has not set {host.setting}.",
        )
    is_form = headers.get("content-type", "").lower().startswith(FORM)
    try:
        # What is wrong without a look at the body is refused before the body is read.
        proof = begin_proof(host, secret, headers, time.time())
    except UnprovenError as error:
        raise Problem("forbidden", str(error)) from None
    # Gitea signs the payload even where it sends a form; the others sign the body.
    payload_proof, form = proof.copy(), FormPayload()
    body = bytearray()
    async for chunk in request.stream():
        proof.update(chunk)
        if is_form:
            payload_proof.update(form.decode(chunk))
        if len(body) <= MAX_BODY_BYTES:
            body += chunk
    payload = bytes(body) if len(body) <= MAX_BODY_BYTES else None
    if payload is not None and is_form:
        values = parse_qs(payload.decode(errors="replace"), keep_blank_values=True)
        payload = values.get("payload", [""])[0].encode()
    if proof.fits() or (is_form and payload_proof.fits()):
        return Delivery(host, event, payload)
    raise Problem("forbidden", WRONG_SIGNATURE)


def _secret(request: Request, host: WebhookHost) -> str | None:
    settings = request.state["settings"]
    return {
        GITHUB.name: settings.github_webhook_secret,
        GITLAB.name: settings.gitlab_webhook_secret,
        GITEA.name: settings.gitea_webhook_secret,
        BITBUCKET.name: settings.bitbucket_webhook_secret,
    }[host.name]
