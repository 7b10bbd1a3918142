"""GitHub's webhooks: a push syncs its source at once."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from marshmallow import fields

from service.problems import Problem
from service.routes.shared import MISSING_SOURCE, SOURCE_ID, SYNC_STARTED, read_id, start_sync
from service.web.bodies import ExactSchema, json_response, parse_object
from service.web.middleware import MAX_BODY_BYTES
from service.web.openapi import Answer, Body, operation

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.state import Request

SIGNATURE: Final = re.compile("sha256=[0-9a-f]{64}")


class PushSchema(ExactSchema):
    """What GitHub sends of a push: this much of it is looked at."""

    ref = fields.String(required=True)
    repository = fields.Dict()


@operation(
    operation_id="receiveWebhook",
    tag="syncs",
    summary="Take a webhook of GitHub's",
    description=(
        "A push to the source's branch syncs it at once. Needs GITHUB_WEBHOOK_SECRET, the secret "
        "that the webhook was given at GitHub; other events, and pushes to other branches, are "
        "answered with 200 and do nothing. A body may have 25 MiB here, as GitHub's do; of one of "
        "more than 1 MiB the branch is not looked at. GitHub sends JSON, or a form whose field "
        "`payload` has it: both are taken."
    ),
    parameters=(
        SOURCE_ID,
        {
            "name": "X-GitHub-Event",
            "in": "header",
            "required": True,
            "description": "Which event it is.",
            "schema": {"type": "string"},
        },
        {
            "name": "X-Hub-Signature-256",
            "in": "header",
            "required": True,
            "description": "`sha256=` and the HMAC of the body, in hexadecimal.",
            "schema": {"type": "string"},
        },
    ),
    body=Body(
        schema=PushSchema,
        examples={"push": {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}},
    ),
    answers={
        200: Answer(
            description="Nothing is to be done.",
            schema={"type": "object", "properties": {"message": {"type": "string"}}},
            examples={"other": {"message": "Nothing to do for this event."}},
        ),
        202: SYNC_STARTED,
    },
    problems={
        "invalid": "The body is not JSON.",
        "forbidden": "The signature does not fit the body.",
        "not_found": MISSING_SOURCE,
    },
)
async def receive_webhook(request: Request) -> Response:
    project_doc_id = read_id(request, "id")
    body = await _read_signed_body(request)
    row = await request.state["database"].fetch_row_or_404(
        "select branch from project_doc where id = $1", project_doc_id, missing=MISSING_SOURCE
    )
    event = request.headers.get("x-github-event", "")
    if event != "push":
        return json_response(json.dumps({"message": "Nothing to do for this event."}))
    if body is not None and not _is_push_to(row["branch"], _read_payload(request, body)):
        return json_response(json.dumps({"message": "Nothing to do for this branch."}))
    return await start_sync(request, project_doc_id, after_push=True)


async def _read_signed_body(request: Request) -> bytes | None:
    """Return the body; None instead of one of more than MAX_BODY_BYTES, which is only checked.

    A push of so many commits is not worth holding: syncing once too often does no harm.
    """
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    secret = request.state["settings"].github_webhook_secret
    if secret is None:
        raise Problem("forbidden", "Webhooks are off: the operator has set no secret for them.")
    given = request.headers.get("x-hub-signature-256", "")
    # Whoever cannot have signed it is refused before its body is waited for.
    if SIGNATURE.fullmatch(given):
        expected = hmac.new(secret.encode(), digestmod=hashlib.sha256)
        body = bytearray()
        async for chunk in request.stream():
            expected.update(chunk)
            if len(body) <= MAX_BODY_BYTES:
                body += chunk
        if hmac.compare_digest(given, f"sha256={expected.hexdigest()}"):
            return bytes(body) if len(body) <= MAX_BODY_BYTES else None
    raise Problem("forbidden", "The signature does not fit the body.")


def _read_payload(request: Request, body: bytes) -> dict[str, Any]:
    # What GitHub sends unless it is told to send JSON.
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        payloads = parse_qs(body.decode(errors="replace")).get("payload", [""])
        body = payloads[0].encode()
    return parse_object(body)


def _is_push_to(branch: str | None, payload: dict[str, Any]) -> bool:
    """Return whether a push is to the branch, which is the default one if there is no name.

    One that deletes the branch leaves nothing to sync.
    """
    if payload.get("deleted") is True:
        return False
    if branch is None:
        match payload:
            case {"repository": {"default_branch": str(branch)}}:
                pass
            case _:
                return True  # it does not say, and syncing once too often does no harm
    return payload.get("ref") == f"refs/heads/{branch}"
