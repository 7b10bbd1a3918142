"""The peer of search: what a team writes first, `ilike '%…%'` on the text of all documents.

Starlette and asyncpg, with the tables of the service. Each word of `q`, or the phrase in quotation
marks, has to occur in the document. The response has the shape of the service's, with one snippet
for each document, the newest documents first.
"""

from __future__ import annotations

import os
import re
from contextlib import asynccontextmanager
from html import escape
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request

POOL_SIZE: Final = 10  # as the service's
SNIPPET_BEFORE: Final = 80
SNIPPET_CHARACTERS: Final = 240

TERM: Final = re.compile(r'"([^"]+)"|(\S+)')
SPECIAL: Final = re.compile(r"[\\%_]")


async def search(request: Request) -> JSONResponse:
    query = request.query_params["q"]
    limit = int(request.query_params.get("limit", "10"))
    terms = [phrase or word for phrase, word in TERM.findall(query)]
    conditions = " and ".join(f"document.content ilike ${n + 3}" for n in range(len(terms)))
    rows = await request.state.pool.fetch(
        f"""
        with page as (
            select document.id, count(*) over () as total
            from document
            where {conditions or "false"}
            order by document.updated_at desc, document.id
            limit $1
        )
        select page.total, document.id, file_path, doc_metadata ->> 'title' as title,
               document.updated_at, project.id as project_id, project.name as project_name,
               project_doc.id as source_id, project_doc.name as source_name,
               substr(content, greatest(strpos(lower(content), lower($2)) - {SNIPPET_BEFORE}, 1),
                      {SNIPPET_CHARACTERS}) as snippet
        from page
        join document using (id)
        join project_doc on project_doc.id = project_doc_id
        join project on project.id = project_id
        order by document.updated_at desc, document.id
        """,
        limit,
        terms[0] if terms else "",
        *(f"%{escape_like(term)}%" for term in terms),
    )
    return JSONResponse(
        {
            "query": query,
            "total": {"value": rows[0]["total"] if rows else 0, "is_exact": True},
            "fuzzy": None,
            "facets": {},
            "results": [_result(row, terms[0]) for row in rows],
        }
    )


def escape_like(term: str) -> str:
    return SPECIAL.sub(lambda match: f"\\{match[0]}", term)


def _result(row: Any, term: str) -> dict[str, Any]:
    snippet = row["snippet"]
    marked = re.sub(
        re.escape(escape(term)),
        lambda match: f"<mark>{match[0]}</mark>",
        escape(snippet),
        flags=re.IGNORECASE,
    )
    return {
        "document": {
            "id": str(row["id"]),
            "title": row["title"],
            "path": row["file_path"],
            "project": {"id": str(row["project_id"]), "name": row["project_name"]},
            "source": {"id": str(row["source_id"]), "name": row["source_name"]},
            "updated_at": row["updated_at"].isoformat(),
        },
        "sections": [{"snippet": marked, "snippet_text": snippet}],
    }


async def get_health(request: Request) -> JSONResponse:
    await request.state.pool.fetchval("select 1")
    return JSONResponse({"status": "ok", "database": "connected"})


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncGenerator[dict[str, Any]]:
    url = os.environ["DATABASE_URL"].replace("postgresql+asyncpg://", "postgresql://")
    async with asyncpg.create_pool(url, max_size=POOL_SIZE) as pool:
        yield {"pool": pool}


app = Starlette(
    routes=[Route("/api/health", get_health), Route("/api/search", search)], lifespan=lifespan
)
