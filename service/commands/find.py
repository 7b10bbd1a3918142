"""`python -m service find`: search the documents from a terminal, as GET /api/search does."""

from __future__ import annotations

import asyncio
import html
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service.characters import UNSTORABLE
from service.commands.errors import CommandError
from service.commands.failures import explaining_failures
from service.commands.reading import NOTHING_FOUND, clean, find_project
from service.database.database import open_database
from service.migrations.files import read_migration_ids
from service.routes.search_parameters import DEFAULT_LIMIT, MAX_LIMIT, MAX_QUERY
from service.search.find import find, read_page
from service.search.query import parse_query
from service.search.results import read_results
from service.search.statements import SETTINGS, Filters

if TYPE_CHECKING:
    from service.commands.output import Output
    from service.database.database import Connection
    from service.search.matches import Result
    from service.settings import Settings

BOLD: Final = "\x1b[1m"
NOT_BOLD: Final = "\x1b[22m"
MARK: Final = re.compile("(</?mark>)")


class Search(NamedTuple):
    """What the arguments of the command ask for. `project` is a name or an id."""

    text: str
    project: str | None
    kind: str | None
    limit: int | None
    as_you_type: bool


def search_documents(settings: Settings, search: Search, output: Output) -> int:
    """Print the documents that match, best first, and return the exit code.

    Corrections and the number of documents go to standard error. Raises CommandError.
    """
    if not 1 <= len(search.text) <= MAX_QUERY:
        raise CommandError(f"the search has more than {MAX_QUERY} characters, or none")
    limit = DEFAULT_LIMIT if search.limit is None else search.limit
    if not 1 <= limit <= MAX_LIMIT:
        raise CommandError(f"--limit is a number from 1 to {MAX_LIMIT}")
    if UNSTORABLE.search(search.text + (search.project or "")):
        raise CommandError("the search is not UTF-8")
    with explaining_failures():
        result, documents = asyncio.run(_search(settings, search, limit))
    for word, meant in result.corrections:
        output.print_note(f"not found: {clean(word)}; searched for {clean(meant)}")
    is_bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for number, document in enumerate(documents):
        if number:
            output.print_line("")
        for line in _describe(document, is_bold=is_bold):
            output.print_line(line)
    if not documents:
        output.print_note("nothing found")
        return NOTHING_FOUND
    if result.total > len(documents) or not result.is_exact:
        about = "" if result.is_exact else "about "
        output.print_note(f"{len(documents)} of {about}{result.total:,} documents")
    return 0


async def _search(
    settings: Settings, search: Search, limit: int
) -> tuple[Result, list[dict[str, Any]]]:
    query = parse_query(search.text, as_you_type=search.as_you_type)

    async def run(connection: Connection) -> tuple[Result, list[dict[str, Any]]]:
        project_id = search.project and await find_project(connection, search.project)
        filters = Filters(project_id, None, search.kind, None)
        result = await find(connection, query, filters)
        found = await read_page(connection, result, filters, 0, limit)
        return result, await read_results(connection, result.query, found)

    async with open_database(
        settings.database_url,
        1,
        use_prepared_statements=settings.database_prepared_statements,
        migrations=read_migration_ids(),
    ) as database:
        return await database.run_repeatable(run, SETTINGS)


def _describe(document: dict[str, Any], *, is_bold: bool) -> list[str]:
    """Return the lines that show a document with its sections."""
    of_document = document["document"]
    path, project = of_document["path"], of_document["project"]["name"]
    lines = [f"{clean(path)}  ({clean(project)}, {of_document['kind']})"]
    for section in document["sections"]:
        *above, _ = section["headings"]
        headings = [clean(heading["text"]) for heading in above]
        headings.append(_show(section["title"], is_bold=is_bold))
        lines.append(f"  {' > '.join(headings)}")
        if section["snippet"]:
            lines.append(f"    {_show(section['snippet'], is_bold=is_bold)}")
    return lines


def _show(marked: str, *, is_bold: bool) -> str:
    """Return HTML with marks as it is printed."""
    marks = {"<mark>": BOLD if is_bold else "", "</mark>": NOT_BOLD if is_bold else ""}
    return "".join(
        [
            marks[part] if part in marks else clean(html.unescape(part))
            for part in MARK.split(marked)
        ]
    )
