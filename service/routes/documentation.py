"""The API's documentation: the OpenAPI document, Swagger UI and ReDoc, loading no other host."""

import importlib.util
import json
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service import ROOT
from service.problems import Problem
from service.routes.shared import RESOURCES
from service.state import Request
from service.web.compression import KeptContent
from service.web.entity_tags import NOT_MODIFIED_RESPONSE
from service.web.openapi import build_document, problem_spec
from service.web.operation import (
    HAS_DOCSTRINGS,
    NO_DOCSTRINGS,
    ResponseSpec,
    operation,
    parameter,
)
from service.web.references import reference_to

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

PAGES = ROOT / "service/web/pages"

# The hash is that of the empty string: ReDoc adds empty style elements and fills them by script,
# which the policy allows.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
        "worker-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

# The files that a page loads. The large ones are in the package offapi, whose version is pinned.
OUR_FILES = ("swagger-start.js", "redoc-start.js", "page.css")
OFFAPI_FILES = ("swagger_bundle.js", "swagger_style.css", "redoc.js")
REDOC_LOGO = re.compile(rb"https://cdn\.redoc\.ly/redoc/logo-mini(-full)?\.svg")
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}

ASSET_NAME: Final = parameter(
    "name",
    "path",
    "The file's name.",
    {"type": "string", "enum": [*OUR_FILES, *OFFAPI_FILES]},
    is_required=True,
    example="page.css",
)
MISSING_ASSET = "There is no file of this name."


def _html_response(request: Request, name: str) -> Response:
    page = (PAGES / name).read_text("utf-8")
    return Response(
        page.replace("{root}", reference_to(request.scope, "/")),
        media_type="text/html",
        headers={
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Cache-Control": "no-cache",
        },
    )


NO_CACHE: Final = {"Cache-Control": "no-cache"}

OPENAPI_RESPONSE: Final = ResponseSpec(
    description="The OpenAPI 3.1 document of the API.",
    schema={"type": "object", "additionalProperties": True},
    examples={"beginning": {"openapi": "3.1.1", "info": {}, "paths": {}}},
)
PAGE_RESPONSE: Final = ResponseSpec(
    description="A page that needs nothing from any other host.",
    schema={"type": "string"},
    media_type="text/html",
    examples={"beginning": "<!doctype html>"},
)
ASSET_RESPONSE: Final = ResponseSpec(
    description="The file, as `text/javascript` or `text/css`.",
    schema={"type": "string"},
    media_type="text/*",
    examples={"a style": "body {}"},
)
MISSING_ASSET_RESPONSE: Final = problem_spec(
    "not_found", "The pages have no such file.", MISSING_ASSET
)


@operation(tag="documentation", responses={200: OPENAPI_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_open_api_document(request: Request) -> Response:
    """Get this document."""
    # In a thread: the first request renders the document, which would hold up a health check.
    kept = await run_in_threadpool(
        _render_document, request.app, request.state["settings"].api_token_for_reads
    )
    root = reference_to(request.scope, "/").rstrip("/")
    if root == ".":
        return kept.respond(request, "application/json", NO_CACHE)
    # A slash at the end of the path.
    document = kept.content.replace(b'{"url": "."', b'{"url": "%b"' % root.encode(), 1)
    return Response(document, media_type="application/json", headers=NO_CACHE)


@operation(tag="documentation", responses={200: PAGE_RESPONSE})
async def get_swagger_ui(request: Request) -> Response:
    """Read the API and try it out, with Swagger UI."""
    return _html_response(request, "docs.html")


@operation(tag="documentation", responses={200: PAGE_RESPONSE})
async def get_re_doc(request: Request) -> Response:
    """Read the API, with ReDoc."""
    return _html_response(request, "redoc.html")


@operation(
    tag="documentation",
    parameters=(ASSET_NAME,),
    responses={200: ASSET_RESPONSE, 304: NOT_MODIFIED_RESPONSE, 404: MISSING_ASSET_RESPONSE},
)
async def get_documentation_asset(request: Request) -> Response:
    """Get a script or a style of the two pages."""
    path = _asset_paths().get(request.path_params["name"])
    if path is None:
        raise Problem("not_found", MISSING_ASSET)
    content = await run_in_threadpool(_read_asset, path)
    headers = {"Cache-Control": "public, max-age=3600"}
    return content.respond(request, MEDIA_TYPES[path.suffix], headers)


@lru_cache(maxsize=1)
def _render_document(app: Starlette, reads_need_token: bool) -> KeptContent:
    if not HAS_DOCSTRINGS:
        log.warning("documentation_without_texts", reason=NO_DOCSTRINGS)
    document = build_document(app.routes, RESOURCES, reads_need_token=reads_need_token)
    return KeptContent.of(json.dumps(document).encode())


@cache
def _read_asset(path: Path) -> KeptContent:
    # Cached, 5 MB in all: otherwise the response to each slow client would hold a copy.
    # ReDoc loads its maker's logo from another host: the end of its line "API docs by". The name
    # takes the logo's place; the initial does while the menu is folded.
    content = REDOC_LOGO.sub(
        lambda found: _draw_text("Redocly", 44) if found[1] else _draw_text("R", 10),
        path.read_bytes(),
    )
    return KeptContent.of(content)


def _draw_text(text: str, width: int) -> bytes:
    """Return the `data:` URL of an image of a text."""
    image = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="14">'
        f'<text y="11" textLength="{width}" lengthAdjust="spacingAndGlyphs" '
        f'font-family="sans-serif" font-size="11" font-weight="600" fill="#2467f2">{text}</text>'
        "</svg>"
    )
    return f"data:image/svg+xml,{quote(image)}".encode()


@cache
def _asset_paths() -> dict[str, Path]:
    # Located without an import, which would read and copy 9 MB of files.
    spec = importlib.util.find_spec("offapi")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    return {name: PAGES / name for name in OUR_FILES} | {
        name: package / name for name in OFFAPI_FILES
    }
