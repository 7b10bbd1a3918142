"""`python -m service progress`: how far projects are, on a terminal."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from service.bmad.problem_kinds import SEVERITIES, name_count
from service.characters import UNSTORABLE
from service.commands.errors import CommandError
from service.commands.failures import explaining_failures
from service.commands.reading import NOTHING_FOUND, clean, find_project
from service.database.database import open_database
from service.drawing.bars import bar_legend, draw_bar, draw_length
from service.migrations.files import read_migration_ids
from service.routes.activity import describe_change, describe_counts
from service.routes.overview import read_overview
from service.routes.problems import count_problems, read_worst_problems
from service.routes.progress import read_progress
from service.routes.stories import read_next
from service.web.paging import BEFORE_FIRST_ROW, MAX_LIMIT, Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.commands.output import Output
    from service.database.database import Database
    from service.settings import Settings

LINE: Final = 80  # characters, as of the next four: most lines have no more
BAR: Final = 20
TITLE: Final = 48
LEAST: Final = 16  # of a text that is cut
STORIES: Final = 10  # of each list
SENTENCE: Final = 2  # lines of a problem
TREE: Final = 22
# Beside each other.
SOURCE_AND_TREE: Final = (8, 13)
COMMIT: Final = 12

LISTS: Final = {
    "ready": "can start now",
    "in_progress": "under way",
    "blocked": "blocked",
    "to_prepare": "to prepare",
}


def show_progress(settings: Settings, project: str | None, output: Output) -> int:
    """Print how far all projects are, or one with this name or id, and return the exit code.

    That is 1 where no project, or no story, is there. Raises CommandError.
    """
    if project is not None and UNSTORABLE.search(project):
        raise CommandError("the project's name is not UTF-8")
    is_plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    with explaining_failures():
        lines = asyncio.run(_read(settings, project, is_plain=is_plain))
    for line in lines:
        output.print_line(line)
    if not lines:
        output.print_note("no projects" if project is None else "no stories")
        return NOTHING_FOUND
    return 0


async def _read(settings: Settings, project: str | None, *, is_plain: bool) -> list[str]:
    async with open_database(
        settings.database_url,
        1,
        use_prepared_statements=settings.database_prepared_statements,
        migrations=read_migration_ids(),
    ) as database:
        if project is None:
            return await _show_projects(database, is_plain=is_plain)
        project_id = UUID(await find_project(database, project))
        return await _show_project(database, project_id, is_plain=is_plain)


async def _show_projects(database: Database, *, is_plain: bool) -> list[str]:
    """Return a line for each project, newest first."""
    projects: list[dict[str, Any]] = []
    before: int | None = BEFORE_FIRST_ROW
    while before is not None:
        items = await read_overview(database, Page(before, MAX_LIMIT))
        projects += [orjson.loads(text) for text in items.texts]
        before = items.last_number
    if not projects:
        return []
    rows = [
        (
            clean(project["name"]),
            *_show_figures(project, is_plain=is_plain),
            _show_problems(project["problems"]),
            _show_sync(project),
        )
        for project in projects
    ]
    return [*_align(rows), "", bar_legend(is_plain=is_plain)]


async def _show_project(database: Database, project_id: UUID, *, is_plain: bool) -> list[str]:
    """Return the lines of a project.

    Its epics, its velocity, what comes next, what the last sync changed, and its problems.
    """
    progress = orjson.loads(await read_progress(database, project_id))
    following = orjson.loads(await read_next(database, project_id))
    problems = await count_problems(database, project_id)
    worst = [orjson.loads(item) for item in await read_worst_problems(database, project_id)]
    if not progress["totals"]["stories"]:
        return []
    sources = {epic["source"]["id"] for epic in progress["by_epic"]}
    trees = {(epic["source"]["id"], epic["tree"]) for epic in progress["by_epic"]}
    has_trees = len(trees) > len(sources)
    whole = {
        "stories_total": progress["totals"]["stories"],
        "stories_by_status": progress["by_status"],
        "stories_built": progress["totals"]["built"],
        "share_done": progress["totals"]["share_done"],
    }
    rows = [("all stories", *_show_figures(whole, is_plain=is_plain), "")]
    for epic in progress["by_epic"]:
        title = "no epic" if epic["id"] is None else f"{epic['id']} {epic['title']}".strip()
        has_both = has_trees and len(sources) > 1
        widths = SOURCE_AND_TREE if has_both else (LEAST, TREE)
        place = [_cut(epic["source"]["name"], widths[0])] if len(sources) > 1 else []
        if has_trees:
            place.append(_show_tree(epic, widths[1], is_plain=is_plain))
        rows.append((clean(title), *_show_figures(epic, is_plain=is_plain), " ".join(place)))
    lines = [*_align(rows), "", bar_legend(is_plain=is_plain)]
    if progress["velocity"]:
        lines += ["", *_show_velocity(progress["velocity"], is_plain=is_plain)]
    for name, heading in LISTS.items():
        if following[name]:
            lines += ["", f"{heading}: {following['totals'][name]:,}"]
            for story in following[name][:STORIES]:
                tree = f"  [{_show_tree(story, TREE, is_plain=is_plain)}]" if has_trees else ""
                lines.append(_show_story(story, tree))
    if unknown := following["totals"]["unknown"]:
        lines += ["", f"of unknown status, and in no list above: {unknown:,}"]
    if progress["last_changes"] is not None:
        lines += ["", *_show_changes(progress["last_changes"], is_plain=is_plain)]
    lines += ["", f"problems: {_show_problems(problems)}"]
    for problem in worst:
        lines += _show_kind(problem, is_plain=is_plain)
    return lines


def _show_velocity(weeks: list[dict[str, Any]], *, is_plain: bool) -> list[str]:
    """Return a line for each week, with a bar for the stories done in it."""
    largest = max(week["done"] for week in weeks)
    width = max(len(f"{week['done']:,}") for week in weeks)
    return [
        "done in each week from Monday on",
        *(
            f"  {week['week']}  {week['done']:>{width},}  "
            f"{draw_length(week['done'], largest, BAR, is_plain=is_plain)}".rstrip()
            for week in weeks
        ),
    ]


def _show_changes(changes: dict[str, Any], *, is_plain: bool) -> list[str]:
    """Return the lines of what the last run changed that changed something."""
    stories: list[dict[str, Any]] = changes["statuses"]
    new = sum(story["from"] is None for story in stories)
    gone = sum(story["to"] is None for story in stories)
    at = datetime.fromisoformat(changes["at"]).astimezone(UTC)
    source = _cut(changes["source"]["name"], LEAST)
    counts = describe_counts(changes, len(stories) - new - gone, new, gone)
    lines = [
        f"last change: {at:%Y-%m-%d %H:%M} UTC, {source}, commit {changes['commit_id'][:COMMIT]}",
        *(f"  {part}" for part in counts.split("; ")),
    ]
    for story in stories[:STORIES]:
        change = describe_change(story)
        name = _cut(" ".join(filter(None, [story["id"], story["title"]])))
        lines.append(f"  {name}: {change.replace('→', '->') if is_plain else change}")
    if len(stories) > STORIES:
        lines.append(f"  and {len(stories) - STORIES:,} more stories")
    return lines


def _show_figures(figures: dict[str, Any], *, is_plain: bool) -> tuple[str, str, str]:
    """Return the bar, the done share and the numbers of some stories, without cancelled ones."""
    counts: dict[str, int] = dict(figures["stories_by_status"])
    total = figures["stories_total"] - counts.pop("cancelled")
    share = figures["share_done"]
    built = f", {figures['stories_built']:,} built" if figures["stories_built"] else ""
    return (
        draw_bar([*counts.items()], BAR, is_plain=is_plain),
        "" if share is None else f"{int(counts['done'] * 100 / total):>3}%",
        f"{counts['done']:,} of {total:,}{built}" if total else "no stories",
    )


def _show_story(story: dict[str, Any], tree: str) -> str:
    name = " ".join(filter(None, [story["id"], story["title"]]))
    shown = f"  {_cut(name, TITLE - len(tree))}{tree}"
    if story["waits_for"]:
        awaited = ", ".join(each["id"] or each["title"] for each in story["waits_for"])
        left = LINE - len(f"{shown}  (waits for )")
        return f"{shown}  (waits for {_cut(awaited, left)})"
    if story["status"] in {"in_progress", "review"} and story["since"] is not None:
        return f"{shown}  (since {datetime.fromisoformat(story['since']).astimezone(UTC):%Y-%m-%d})"
    return shown


def _show_problems(counts: dict[str, int]) -> str:
    found = ((counts[severity], severity) for severity in SEVERITIES)
    return ", ".join(name_count(*each) for each in found if each[0]) or "none"


def _show_kind(problem: dict[str, Any], *, is_plain: bool) -> list[str]:
    """Return the lines of a kind of problems: how many there are, and the worst, with its place."""
    counts = dict.fromkeys(SEVERITIES, 0) | problem["counts"]
    lines = [f"  {problem['kind'].replace('_', ' ')}: {_show_problems(counts)}"]
    if problem["path"] is not None:
        line = "" if problem["line"] is None else f":{problem['line']}"
        path = _cut_path(problem["path"], LINE - len(f"    {line}"), is_plain=is_plain)
        lines.append(f"    {path}{line}")
    dots = "..." if is_plain else "…"
    sentence = textwrap.wrap(
        clean(problem["detail"]),
        LINE - 4,
        max_lines=SENTENCE,
        placeholder=dots,
        break_on_hyphens=False,
    )
    return lines + [f"    {each}" for each in sentence]


def _show_tree(item: dict[str, Any], width: int, *, is_plain: bool) -> str:
    """Return the tree of a story or an epic: "." is the repository itself, "?" not known."""
    tree = item["tree"]
    return "?" if tree is None else _cut_path(tree or ".", width, is_plain=is_plain)


def _cut_path(path: str, width: int, *, is_plain: bool) -> str:
    """Return a path, whose end is what differs."""
    cleaned = clean(path)
    dots = "..." if is_plain else "…"
    return cleaned if len(cleaned) <= width else f"{dots}{cleaned[len(dots) - width :]}"


def _show_sync(project: dict[str, Any]) -> str:
    if project["last_sync"] is None:
        return "never synced"
    failed = project["sources_failed"]
    return f"{failed:,} of {project['sources_total']:,} syncs failed" if failed else ""


def _cut(text: str, width: int = TITLE) -> str:
    cleaned = clean(text)
    return cleaned if len(cleaned) <= width else f"{cleaned[: width - 1]}…"


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines, with columns as wide as their longest text.

    The first column is cut so that lines have at most LINE characters, but to no less than LEAST.
    """
    firsts, *others = zip(*rows, strict=True)
    widths = [max(map(len, column)) for column in others]
    left = max(LINE - sum(width + 2 for width in widths if width), LEAST)
    cut = [_cut(text, min(left, TITLE)) for text in firsts]
    widths.insert(0, max(map(len, cut)))
    return [
        "  ".join(
            text.ljust(width) for text, width in zip(row, widths, strict=True) if width
        ).rstrip()
        for row in zip(cut, *others, strict=True)
    ]
