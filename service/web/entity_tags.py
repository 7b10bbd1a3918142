"""Entity tags: whether the client has the current response already (RFC 9110, sections 8.8, 13)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import Response

from service.web.operation import ResponseSpec, parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

CACHED: Final = "`no-cache`: a cache may keep the response, and must revalidate it each time."

# The group leaves out the `W/` of a weak tag, because If-None-Match compares weakly (RFC 9110,
# section 13.1.2).
ENTITY_TAG: Final = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')

# What is added to a tag with a compressed response: `-gzip` by Compression and Apache, `;gzip` by
# Jetty, `--gzip` by others. A proxy may add its own to ours.
CODING_SUFFIX: Final = re.compile(r"(?:(?:--?|;)(?:x-gzip|gzip|deflate|compress|br|zstd)){1,4}$")

NOT_MODIFIED_RESPONSE: Final = ResponseSpec(
    description="The content is still the one that `If-None-Match` names.",
    parameters=(
        parameter("If-None-Match", "header", "The `ETag` of the content that the client has."),
    ),
)


class SentTags(NamedTuple):
    """The tags of `If-None-Match`, and whether it is `*`, which every tag matches.

    `tags` maps each tag, without a coding's suffix, to the tag as it was sent.
    """

    tags: Mapping[str, str]
    is_any: bool

    def match(self, tag: str) -> str | None:
        """Return the tag that the client has, if it is `tag` but for its coding; else None."""
        return self.tags.get(tag, tag if self.is_any else None)


def read_entity_tags(request: Request[Any]) -> SentTags:
    """Return the tags of the content that the client has."""
    lines = request.headers.getlist("if-none-match")
    sent = ENTITY_TAG.findall(",".join(lines)) if lines else []
    return SentTags(
        # In this order, so that the first one that was sent counts.
        {CODING_SUFFIX.sub("", tag): tag for tag in reversed(sent)},
        is_any="*" in {line.strip() for line in lines},
    )


def not_modified(tag: str, headers: Mapping[str, str]) -> Response:
    """Return a 304 with the tag from SentTags.match(): a cache looks for the response with it."""
    return Response(status_code=304, headers={**headers, "ETag": f'"{tag}"'})


def tagged_response(
    request: Request[Any], body: str, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response whose entity tag is a digest of its body; a 304 if the client has that.

    A cache may keep it, and must revalidate it each time.
    """
    headers = {**(headers or {}), "Cache-Control": "no-cache"}
    tag = hashlib.sha256(body.encode()).hexdigest()[:40]
    matched = read_entity_tags(request).match(tag)
    if matched is not None:
        return not_modified(matched, headers)
    return Response(body, media_type=media_type, headers={**headers, "ETag": f'"{tag}"'})
