"""GitHub's webhooks: a push syncs its source at once."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import orjson
from marshmallow import fields

from service.problems import Problem
from service.routes.shared import MISSING_SOURCE, STARTED_RESPONSE, read_id, start_sync
from service.web.bodies import ExactSchema, json_response, parse_object
from service.web.middleware import MAX_BODY_BYTES
from service.web.operation import BodySpec, ResponseSpec, operation, parameter

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.state import Request

SIGNATURE: Final = re.compile("sha256=[0-9a-f]{64}")


class PushSchema(ExactSchema):
    """The part of GitHub's payload of a push that the route reads."""

    ref = fields.String(required=True)
    repository = fields.Dict()


WEBHOOK_HEADERS: Final = (
    parameter("X-GitHub-Event", "header", "The event's name.", is_required=True),
    parameter(
        "X-Hub-Signature-256",
        "header",
        "`sha256=` and the HMAC of the body, in hexadecimal.",
        is_required=True,
    ),
)
PUSH_BODY: Final = BodySpec(
    schema=PushSchema,
    examples={"push": {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}},
    is_any_type=True,
)
IGNORED_RESPONSE: Final = ResponseSpec(
    description="There is nothing to do for this event.",
    schema={"type": "object", "properties": {"message": {"type": "string"}}},
    examples={"other": {"message": "Nothing to do for this event."}},
)
WRONG_SIGNATURE: Final = "The signature does not fit the body."


@operation(
    tag="syncs",
    parameters=WEBHOOK_HEADERS,
    body=PUSH_BODY,
    responses={200: IGNORED_RESPONSE, 202: STARTED_RESPONSE},
    problems={"invalid": "The body is not JSON.", "forbidden": WRONG_SIGNATURE},
)
async def receive_webhook(request: Request) -> Response:
    """Receive a webhook from GitHub.

    Syncs the source at once after a push to its branch. Other events, and pushes to other branches,
    get 200 and change nothing. GITHUB_WEBHOOK_SECRET has to be the secret that the webhook has at
    GitHub. A body may have 25 MiB; if it has more than 1 MiB, its branch is not checked. The body
    is JSON, or a form whose field `payload` holds the JSON.
    """
    source_id = read_id(request, "id")
    body = await _read_signed_body(request)
    row = await request.state["database"].fetch_row_or_404(
        "select branch from project_doc where id = $1", source_id, missing=MISSING_SOURCE
    )
    if request.headers.get("x-github-event") != "push":
        return json_response(orjson.dumps({"message": "Nothing to do for this event."}))
    if body is not None and not _is_push_to(row["branch"], _read_payload(request, body)):
        return json_response(orjson.dumps({"message": "Nothing to do for this branch."}))
    return await start_sync(request, source_id, after_push=True)


async def _read_signed_body(request: Request) -> bytes | None:
    """Return the body, or None for one of more than MAX_BODY_BYTES.

    Raises the Problem `forbidden` where the signature is missing or wrong. A large body is only
    checked, not kept: the push counts as one to the branch, and a needless sync does no harm.
    """
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    secret = request.state["settings"].github_webhook_secret
    if secret is None:
        raise Problem("forbidden", "Webhooks are off: the operator has set no secret for them.")
    given = request.headers.get("x-hub-signature-256", "")
    # A malformed signature is refused before the body is read.
    if SIGNATURE.fullmatch(given):
        expected = hmac.new(secret.encode(), digestmod=hashlib.sha256)
        body = bytearray()
        async for chunk in request.stream():
            expected.update(chunk)
            if len(body) <= MAX_BODY_BYTES:
                body += chunk
        if hmac.compare_digest(given, f"sha256={expected.hexdigest()}"):
            return bytes(body) if len(body) <= MAX_BODY_BYTES else None
    raise Problem("forbidden", WRONG_SIGNATURE)


def _read_payload(request: Request, body: bytes) -> dict[str, Any]:
    # GitHub's default is a form; JSON is an option of the webhook.
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        payloads = parse_qs(body.decode(errors="replace")).get("payload", [""])
        body = payloads[0].encode()
    return parse_object(body)


def _is_push_to(branch: str | None, payload: dict[str, Any]) -> bool:
    """Return whether there is something to sync: a push to `branch` that does not delete it.

    None is the repository's default branch, which the payload names.
    """
    if payload.get("deleted") is True:
        return False
    if branch is None:
        match payload:
            case {"repository": {"default_branch": str(branch)}}:
                pass
            case _:
                return True  # the default branch is unknown, and a needless sync does no harm
    return payload.get("ref") == f"refs/heads/{branch}"
