"""Pages from templates: the environment of Jinja, and the response with a page.

Jinja is imported when the first page is rendered: the service starts faster without it.
"""

from __future__ import annotations

import hashlib
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service import ROOT, __version__
from service.characters import DIRECTION
from service.site.page_assets import FOLDER as ASSETS
from service.site.page_assets import asset_address
from service.web.entity_tags import CACHED, not_modified, read_entity_tags
from service.web.kept_parts import KeptPart, respond_with_parts
from service.web.operation import ResponseSpec
from service.web.page_addresses import files_page, project_page, search_page
from service.web.references import reference_to
from service.web.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jinja2 import Environment
    from starlette.requests import Request
    from starlette.types import Scope

TEMPLATES: Final = ROOT / "service/site/templates"

# A page of other code is another page. Modules of most rooms have words that pages show.
CODE: Final = ROOT / "service"

# No style and no script in a page, only those of our own files; pictures of our own, and `data:`.
PAGE_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

# Where pages need a token, PrivateResponses adds `Vary: Authorization`.
PAGE_HEADERS: Final = {
    "Content-Security-Policy": PAGE_POLICY,
    "Cache-Control": "private, no-cache",
}

# What every template has, besides the functions that depend on the request's URL.
COMMON: Final[Mapping[str, object]] = {
    # What base.html shows where a page gives nothing else.
    "query": "",
    "section": "",
    "searched_project": None,
    "project_page": project_page,
    "files_page": files_page,
    "search_page": search_page,
}

# Requests for lists of which a worker reads and renders this many at once; the others wait, so that
# they take no memory yet, and health does not wait for all of them.
LISTED_AT_ONCE: Final = 8
TURN_SECONDS: Final = 10.0
TOO_MANY: Final = "Too many pages with lists are being made: try again soon."
# Items of a page that is rendered at once. To render 1,000 takes up to 50 ms: a page with more is
# rendered in a thread, one after the other.
ITEMS_AT_ONCE: Final = 100

# Where a page has a part that is kept. No text of a database has this character.
PART: Final = "\0"

# The templates that a page was rendered from before: compiled, with all that they include.
_compiled: Final = set[str]()


def page_spec_of(description: str) -> ResponseSpec:
    """Return the documentation of a 200 with a page."""
    return ResponseSpec(
        description=description,
        schema={"type": "string"},
        media_type="text/html",
        headers={"ETag": "Identifies the page's state.", "Cache-Control": f"`private`, {CACHED}"},
        examples={"beginning": "<!doctype html>"},
    )


def not_modified_page(request: Request[Any], tag: str) -> Response | None:
    """Return the 304 if the client has the page with this tag, else None.

    `tag` is a text that changes whenever what the page shows changes, such as the version of a
    document: give the same to render_page. The templates and the code are in the entity tag, too.
    """
    matched = read_entity_tags(request).match(_entity_tag(tag))
    return None if matched is None else not_modified(matched, PAGE_HEADERS)


def redirect_to(location: str) -> Response:
    """Return a 302 to a reference or a URL.

    Not a permanent one, since a document may come, move or go.
    """
    headers = {"Location": location, "Cache-Control": PAGE_HEADERS["Cache-Control"]}
    return Response(status_code=302, headers=headers)


async def render_page(
    request: Request[Any],
    template: str,
    *,
    tag: str | None = None,
    status: int = 200,
    parts: Sequence[KeptPart] = (),
    listed: int = 0,
    **context: object,
) -> Response:
    """Return the response with a page, or a 304 if the client has it.

    `template` is the name of a file in `templates/`, `context` has its variables. Besides these a
    template has COMMON, and the functions of _page_functions(). Without `tag` the entity tag is a
    digest of the page. A page whose status is not 200 has no tag, and no cache keeps it. `parts`
    stand in the page where the template writes PART, in its order; they need a `tag`. `listed` is
    how many items the page has.
    """
    if tag is not None and (unchanged := not_modified_page(request, tag)) is not None:
        return unchanged
    page = await render(request.scope, template, context, listed)
    if tag is not None and parts:
        texts = [text.encode() for text in page.split(PART)]
        return respond_with_parts(
            request, texts, parts, "text/html", PAGE_HEADERS, _entity_tag(tag)
        )
    if status != 200:
        headers = {**PAGE_HEADERS, "Cache-Control": "no-store"}
        return Response(page, status, headers, media_type="text/html")
    if tag is None:
        tag = hashlib.sha256(page.encode()).hexdigest()
        if (unchanged := not_modified_page(request, tag)) is not None:
            return unchanged
    return respond_with(page, tag)


def respond_with(page: str | bytes, tag: str) -> Response:
    """Return the response with a page that was rendered before: see not_modified_page()."""
    headers = {**PAGE_HEADERS, "ETag": f'"{_entity_tag(tag)}"'}
    return Response(page, headers=headers, media_type="text/html")


async def render(
    scope: Scope, template: str, context: Mapping[str, object], listed: int = 0
) -> str:
    """Return the HTML of a page for the request of this scope; `listed` as in render_page()."""
    page_context = {**COMMON, **_page_functions(scope), **context}

    def render_now() -> str:
        return _environment().get_template(template).render(page_context)

    if template not in _compiled:
        # In a thread: the first time Jinja is imported, and the templates are compiled.
        page = await run_in_threadpool(render_now)
        _compiled.add(template)
        return page
    if listed > ITEMS_AT_ONCE:
        return await scope["state"]["large_bodies"].run(render_now)
    return render_now()


def list_turns() -> Turns:
    """Return the turns to make pages with lists, for the state of a worker."""
    return Turns(LISTED_AT_ONCE, TURN_SECONDS, TOO_MANY)


def _page_functions(scope: Scope) -> dict[str, object]:
    """Return the functions of templates that depend on the request's URL.

    `link` returns a reference to a path of this service, `asset` one to a file of `assets/`.
    """

    def asset(name: str) -> str:
        return reference_to(scope, asset_address(name))

    return {"link": partial(reference_to, scope), "asset": asset}


def _entity_tag(tag: str) -> str:
    return hashlib.sha256(f"{digest_code(CODE)} {tag}".encode()).hexdigest()[:40]


@cache
def digest_code(folder: Path) -> str:
    """Return a digest of what makes pages: templates, assets, and the modules of `folder`."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted([*folder.rglob("*.py"), *TEMPLATES.iterdir(), *ASSETS.iterdir()]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _clean(value: object) -> object:
    """Return a text of a template without the characters that would turn the text around it.

    A file `cba.md` could show as `dm.abc`. HTML is left as it is: the rooms that make it do that.
    """
    if isinstance(value, str) and not value.isascii() and not hasattr(value, "__html__"):
        return DIRECTION.sub("\ufffd", value)
    return value


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from service.site.filters import FILTERS

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,  # all
    )
    environment.filters.update(FILTERS)
    return environment
