"""The files that pages load: the style, the script, the icon."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from service import ROOT
from service.problems import Problem
from service.web.compression import KeptContent
from service.web.entity_tags import NOT_MODIFIED_RESPONSE
from service.web.openapi import problem_spec
from service.web.operation import ResponseSpec, operation, parameter

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.state import Request

FOLDER: Final = ROOT / "service/site/assets"

MEDIA_TYPES: Final = {
    "hub.css": "text/css",
    "hub.js": "text/javascript",
    "hub.svg": "image/svg+xml",
}
ICON: Final = "hub.svg"

# The digits of the content's digest that an address has.
VERSION_DIGITS: Final = 16

# Of an address that names the content's version: no other content will ever be there.
IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATED: Final = "no-cache"

MISSING_FILE: Final = "The pages have no file of this name."

NAME: Final = parameter(
    "name",
    "path",
    "The file's name.",
    {"type": "string", "enum": [*MEDIA_TYPES]},
    is_required=True,
    example="hub.css",
)
VERSION: Final = parameter(
    "v", "query", "The beginning of the content's digest: with it the response is immutable."
)
FILE_RESPONSE: Final = ResponseSpec(
    description="The file, as `text/css`, `text/javascript` or `image/svg+xml`.",
    schema={"type": "string"},
    media_type="text/*",
    headers={"ETag": "Identifies the content.", "Cache-Control": f"`{IMMUTABLE}` with `v`."},
    examples={"a style": "body {}"},
    others={"image/svg+xml": "<svg"},
)
ICON_RESPONSE: Final = ResponseSpec(
    description="The icon.",
    schema={"type": "string"},
    media_type="image/svg+xml",
    headers={"ETag": "Identifies the content."},
    examples={"beginning": "<svg"},
)


@operation(
    tag="pages",
    parameters=(NAME, VERSION),
    responses={
        200: FILE_RESPONSE,
        304: NOT_MODIFIED_RESPONSE,
        404: problem_spec("not_found", MISSING_FILE, MISSING_FILE),
    },
)
async def get_page_asset(request: Request) -> Response:
    """Get a file that the pages load."""
    name: str = request.path_params["name"]
    if name not in MEDIA_TYPES:
        raise Problem("not_found", MISSING_FILE)
    return await _respond(request, name)


@operation(tag="pages", responses={200: ICON_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_icon(request: Request) -> Response:
    """Get the icon that browsers ask for where a page names none."""
    return await _respond(request, ICON)


def asset_address(name: str) -> str:
    """Return the path of a file with its version, for a reference to it."""
    return f"/assets/{name}?v={_read_file(name).tag[:VERSION_DIGITS]}"


async def _respond(request: Request, name: str) -> Response:
    kept = await run_in_threadpool(_read_file, name)
    is_version = request.query_params.get("v") == kept.tag[:VERSION_DIGITS]
    headers = {"Cache-Control": IMMUTABLE if is_version else REVALIDATED}
    return kept.respond(request, MEDIA_TYPES[name], headers)


@cache
def _read_file(name: str) -> KeptContent:
    return KeptContent.of((FOLDER / name).read_bytes())
