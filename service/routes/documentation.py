"""The API's documentation: the OpenAPI document, Swagger UI and ReDoc, all from this machine."""

import importlib.util
import json
import re
from functools import cache, lru_cache
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from service import PROJECT
from service.problems import STATUS, Problem
from service.state import Request
from service.web.openapi import Answer, build_document, operation, problem_answer

PAGES = PROJECT / "service/web/pages"

# Both pages were tried under it. The hash is the empty string's: ReDoc's styles start as empty
# elements that are filled by script, which a policy does not forbid.
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

# What a page may load, by name. The large ones come with the package offapi, which is pinned.
OUR_FILES = ("swagger-start.js", "redoc-start.js", "page.css")
OFFAPI_FILES = ("swagger_bundle.js", "swagger_style.css", "redoc.js")
REDOC_LOGO = re.compile(rb"https://cdn\.redoc\.ly/redoc/[a-z-]+\.svg")
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}

ASSET_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The file's name.",
    "schema": {"type": "string", "enum": [*OUR_FILES, *OFFAPI_FILES]},
    "example": "page.css",
}
NO_SUCH_ASSET = "There is no file of this name."


def _page(name: str) -> Response:
    return Response(
        (PAGES / name).read_bytes(),
        media_type="text/html",
        headers={
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Cache-Control": "no-cache",
        },
    )


def _html(description: str) -> Answer:
    return Answer(
        description=description,
        schema={"type": "string"},
        media_type="text/html",
        examples={"beginning": "<!doctype html>"},
    )


@operation(
    operation_id="getRoot",
    tag="documentation",
    summary="Lead to the documentation",
    answers={307: Answer(description="To `/docs`.", headers={"Location": "`/docs`"})},
)
async def get_root(request: Request) -> Response:
    return RedirectResponse("/docs")


@operation(
    operation_id="getOpenApiDocument",
    tag="documentation",
    summary="Get this document",
    answers={
        200: Answer(
            description="The OpenAPI 3.1 document of the API.",
            schema={"type": "object"},
            examples={"beginning": {"openapi": "3.1.1", "info": {}, "paths": {}}},
        )
    },
)
async def get_openapi_document(request: Request) -> Response:
    # In a thread: the first one takes long enough to hold up a health answer.
    document = await run_in_threadpool(_render_document, request.app)
    return Response(document, media_type="application/json", headers={"Cache-Control": "no-cache"})


@operation(
    operation_id="getSwaggerUi",
    tag="documentation",
    summary="Read the API and try it out, with Swagger UI",
    answers={200: _html("A page that needs nothing from any other host.")},
)
async def get_swagger_ui(request: Request) -> Response:
    return _page("docs.html")


@operation(
    operation_id="getReDoc",
    tag="documentation",
    summary="Read the API, with ReDoc",
    answers={200: _html("A page that needs nothing from any other host.")},
)
async def get_redoc(request: Request) -> Response:
    return _page("redoc.html")


@operation(
    operation_id="getDocumentationAsset",
    tag="documentation",
    summary="Get a script or a style of the two pages",
    parameters=(ASSET_NAME,),
    answers={
        200: Answer(
            description="The file, as `text/javascript` or `text/css`.",
            schema={"type": "string"},
            media_type="text/*",
            examples={"a style": "body {}"},
        ),
        404: problem_answer(STATUS["not_found"], "The pages have no such file.", NO_SUCH_ASSET),
    },
)
async def get_asset(request: Request) -> Response:
    path = _assets().get(request.path_params["name"])
    if path is None:
        raise Problem("not_found", NO_SUCH_ASSET)
    content = await run_in_threadpool(_read_asset, path)
    return Response(
        content,
        media_type=MEDIA_TYPES[path.suffix],
        headers={"Cache-Control": "public, max-age=3600"},
    )


@lru_cache(maxsize=1)
def _render_document(app: Starlette) -> bytes:
    return json.dumps(build_document(app.routes)).encode()


@cache
def _read_asset(path: Path) -> bytes:
    # Kept, 4 MB: of clients that do not read their answers each would hold a copy.
    # ReDoc shows its maker's logo from his host. An image that cannot be shown it leaves out.
    return REDOC_LOGO.sub(b"data:,", path.read_bytes())


@cache
def _assets() -> dict[str, Path]:
    # Found, not imported: importing it reads and copies 9 MB of files.
    spec = importlib.util.find_spec("offapi")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    return {name: PAGES / name for name in OUR_FILES} | {
        name: package / name for name in OFFAPI_FILES
    }
