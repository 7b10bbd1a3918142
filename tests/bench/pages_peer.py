"""The peer of pages: what a team writes first, a document rendered for each request.

FastAPI, Jinja2, and the library of GitHub's own Markdown parser, with the HTML sanitised, since the
documents are a stranger's. The tables are those of the service. A page has its title, its headings
and the text: less than the service's.
"""

from __future__ import annotations

import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import cmarkgfm
import nh3
from cmarkgfm.cmark import Options
from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from jinja2 import Environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

POOL_SIZE: Final = 10  # as the service's

TEMPLATE: Final = Environment(autoescape=True).from_string(
    """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ title }}</title></head>
<body>
<nav><ul>
{% for heading in headings %}
<li><a href="#{{ heading.anchor }}">{{ heading.text }}</a></li>
{% endfor %}
</ul></nav>
<main>{{ html | safe }}</main>
</body>
</html>
"""
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    # The service accepts SQLAlchemy's scheme; asyncpg does not.
    url = os.environ["DATABASE_URL"].replace("postgresql+asyncpg://", "postgresql://")
    async with asyncpg.create_pool(url, min_size=1, max_size=POOL_SIZE) as pool:
        app.state.pool = pool
        yield


app: Final = FastAPI(lifespan=lifespan)


@app.get("/api/health")
async def get_health() -> dict[str, str]:
    await app.state.pool.fetchval("select 1")
    return {"database": "connected"}


@app.get("/projects/{project_id}/files/{path:path}")
async def get_document(project_id: str, path: str) -> HTMLResponse:
    row = await app.state.pool.fetchrow(
        """
        select content, doc_metadata
        from document
        join project_doc on project_doc.id = project_doc_id
        where project_id = $1::text::uuid and file_path = $2
        """,
        project_id,
        path,
    )
    if row is None:
        raise HTTPException(404)
    metadata: dict[str, Any] = json.loads(row["doc_metadata"])
    html = cmarkgfm.github_flavored_markdown_to_html(
        row["content"], options=Options.CMARK_OPT_UNSAFE
    )
    page = TEMPLATE.render(
        title=metadata["title"], headings=metadata["headings"], html=nh3.clean(html)
    )
    return HTMLResponse(page)
