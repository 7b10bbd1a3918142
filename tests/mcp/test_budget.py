"""Every answer stays below its tokens, and pages go through everything once."""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import pytest

from service.mcp.answers import ANSWER_TOKENS
from service.mcp.document_tool import LEAST_TOKENS, MOST_TOKENS
from service.mcp.tools import TOOLS
from service.routes.stories import NEXT_SHOWN
from tests.support.board import PROBLEM, STORY, Work, awaited, gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.mcp.tool import Tool
    from tests.mcp.conftest import Agent, AgentHub

ROWS: Final = 5_000
EPICS: Final = 900
SEARCHED: Final = 150
FURTHER_PROJECTS: Final = 60
LONG: Final = (
    "Refunds of payments that arrived too late, in a currency without cents, \u2014 \U0001f680 " * 3
)
WORD: Final = "hazelnut"
# For arguments without an enum.
VALUES: Final[dict[str, list[Any]]] = {
    "query": [WORD, "refunds cents"],
    "path": ["docs/", "rows/yyy", "nothing"],
    "epic": ["7", ""],
}
# What the document that is read in pieces has 30,000 characters of each.
LINES: Final = (
    "A refund has limits, and the limits have reasons: see the table below, `REFUND_LIMITS`.\n\n",
    "\u6bcf\u5929\u6700\u591a\u4e94\u767e\u6b27\u5143\uff0c\u7cfb\u7edf\u4f1a\u81ea\u52a8\r\n",
    "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=",
    '{"key": ["\\"quoted\\"", 1.25, null]}\t',
    "\U0001f469\u200d\U0001f4bb\U0001f3fd e\u0301 ",
    "## Heading of a section\n\n### One below it\n\n",
)


LISTS: Final = {
    "search": "results",
    "list_documents": "documents",
    "list_projects": "projects",
    "next": "stories",
    "progress": "epics",
    "list_stories": "stories",
    "list_problems": "problems",
}


class Large(NamedTuple):
    agent: Agent
    project: str
    read: str


@pytest.fixture(scope="module")
def large(agent_hub: AgentHub) -> Large:
    """A project with 5,000 of everything, with long titles.

    A sync brings the documents that are searched and read; the other rows are written at once.
    """
    for number in range(FURTHER_PROJECTS):
        agent_hub.create_project(f"{number} {LONG}"[:200].strip())
    project = agent_hub.create_project(f"Large {LONG}"[:200].strip())
    remote = agent_hub.server.create("team/large")
    text = "".join(line * (30_000 // len(line)) for line in LINES)
    files = {"docs/read.md": text.encode()}
    for number in range(SEARCHED):
        title = f"# {number} {LONG * 3}\n\n## {WORD} {LONG}\n\n"
        files[f"docs/x{'x' * (number % 150)}/{number}.md"] = (
            f"{title}{(LONG + WORD) * 5}\n".encode()
        )
    remote.commit(files)
    source = agent_hub.create_source(project, remote, name=f"Docs {LONG}"[:200].strip())
    assert agent_hub.sync(source, 120)["status"] == "completed"
    add_rows(agent_hub, source)
    return Large(agent_hub.agent, project, text)


def add_rows(hub: AgentHub, source: str) -> None:
    count, epics = ROWS, EPICS
    story = STORY | {
        "title": LONG * 3,
        "tasks_total": 3,
        "acceptance_criteria_total": 9,
        "waits_for": [awaited(f"{LONG}{each}", LONG, "draft") for each in range(9)],
        "gate": gate(LONG),
        "anchor": "a-" * 90,
    }
    hub.board.execute(
        f"""
        insert into document (project_doc_id, file_path, file_type, file_size, blob_id, content,
                              doc_metadata)
        select %s, 'rows/' || repeat('y', n %% 200) || n || '.md', 'md', n, '', '',
               jsonb_build_object('title', %s || n)
        from generate_series(1, {count}) as n
        """,
        source,
        LONG * 3,
    )
    hub.board.execute(
        f"""
        insert into story (project_doc_id, place, key, epic_place, epic, id, title, status,
                           is_archived, file_path, item, digest)
        select %s, E'\\t' || lpad(n::text, 6, '0'), n::text,
               E'\\t' || lpad((n %% {epics})::text, 6, '0'),
               (n %% {epics})::text, n::text, '', statuses[n %% 4 + 1], false, path,
               %s::jsonb || jsonb_build_object('id', 'S' || n, 'epic', (n %% {epics})::text,
                   'path', path, 'status', statuses[n %% 4 + 1], 'is_ready', n %% 4 = 1), '\\x00'
        from (
            select n, 'rows/' || repeat('y', n %% 200) || n || '.md' as path,
                   array['draft', 'approved', 'in_progress', 'done'] as statuses
            from generate_series(1, {count}) as n
        ) as numbered
        """,
        source,
        orjson.dumps(story).decode(),
    )
    hub.board.execute(
        f"""
        insert into epic (project_doc_id, place, id, item, digest)
        select %s, E'\\t' || lpad(n::text, 6, '0'), n::text,
               jsonb_build_object('id', n::text, 'title', %s || n, 'tree', ''), '\\x00'
        from generate_series(0, {epics} - 1) as n
        """,
        source,
        LONG * 3,
    )
    hub.board.execute(
        f"""
        insert into problem (project_doc_id, place, kind, severity, file_path, item, digest)
        select %s, n %% 3 || E'\\t' || lpad(n::text, 6, '0'), 'broken_link', severity, null,
               %s::jsonb || jsonb_build_object('severity', severity, 'line', n), '\\x00'
        from (
            select n, (array['error', 'warning', 'info'])[n %% 3 + 1] as severity
            from generate_series(1, {count}) as n
        ) as numbered
        """,
        source,
        orjson.dumps(PROBLEM | {"detail": LONG * 9, "path": "docs/" + "z" * 400}).decode(),
    )


def combine(tool: Tool, project: str) -> Iterator[dict[str, Any]]:
    """Yield calls with every combination of a tool's arguments: each is left out, or has values."""
    required = tool.input_schema.get("required", ())
    choices: list[list[dict[str, Any]]] = []
    for name, schema in tool.input_schema["properties"].items():
        if name in {"cursor", "section"} or (tool.name, name) == ("read_document", "path"):
            continue
        if name == "project":
            values: list[Any] = [project]
        elif name in VALUES:
            values = VALUES[name]
        elif "enum" in schema:
            values = schema["enum"]
        else:
            values = [schema["minimum"], schema["maximum"]]
        found = [{name: value} for value in values]
        choices.append(found if name in required else [{}, *found])
    for chosen in product(*choices):
        yield {name: value for each in chosen for name, value in each.items()}


@pytest.mark.parametrize(
    "tool", [tool for tool in TOOLS if tool.name in LISTS], ids=lambda tool: tool.name
)
def test_every_list_stays_below_its_tokens_with_all_arguments(large: Large, tool: Tool) -> None:
    largest = 0
    for arguments in combine(tool, large.project):
        answer = large.agent.call(tool.name, **arguments)  # checks the size
        largest = max(largest, answer.tokens)
        if cursor := answer.structured["next_cursor"]:
            large.agent.call(tool.name, **arguments, cursor=cursor)
    assert largest > ANSWER_TOKENS * 0.6, "the rows are too few for this test"


@pytest.mark.parametrize(
    ("tool", "arguments", "key", "total"),
    [
        ("search", {"query": WORD}, "id", SEARCHED),
        ("search", {"query": WORD, "limit": 50}, "id", SEARCHED),
        ("list_documents", {"path": "rows/" + "y" * 180, "limit": 200}, "path", None),
        ("list_projects", {"limit": 100}, "id", FURTHER_PROJECTS + 1),
        ("progress", {}, "id", EPICS),
        ("next", {}, "id", 3 * NEXT_SHOWN),
        ("list_stories", {"status": "done", "limit": 15}, "id", ROWS // 4),
        ("list_stories", {"epic": "7", "limit": 100}, "id", None),
        ("list_problems", {"severity": "error", "limit": 30}, "line", ROWS // 3),
    ],
)
def test_pages_have_each_item_once(
    large: Large, tool: str, arguments: dict[str, Any], key: str, total: int | None
) -> None:
    if tool != "list_projects":
        arguments = {"project": large.project, **arguments}
    items = large.agent.call_all(tool, LISTS[tool], **arguments)
    keys = [item[key] for item in items]
    assert len(set(keys)) == len(keys)
    assert len(keys) == total or (total is None and keys)


@pytest.mark.parametrize("max_tokens", [None, LEAST_TOKENS, 2_500, MOST_TOKENS])
def test_a_document_is_read_in_pieces_exactly(large: Large, max_tokens: int | None) -> None:
    limit = {} if max_tokens is None else {"max_tokens": max_tokens}
    pieces: list[str] = []
    offset: dict[str, int] = {}
    while True:
        answer = large.agent.call(
            "read_document", project=large.project, path="docs/read.md", **limit, **offset
        )
        pieces.append(answer.structured["content"])
        assert answer.structured["content"].removesuffix("\n") in answer.text
        if answer.structured["next_offset"] is None:
            break
        assert answer.tokens > 0.3 * (max_tokens or ANSWER_TOKENS)
        assert f"offset={answer.structured['next_offset']}" in answer.text
        offset = {"offset": answer.structured["next_offset"]}
    assert "".join(pieces) == large.read
    for piece, following in pairwise(pieces):
        assert not piece.endswith("\r")
        assert following[0] not in "\u200d\u0301\U0001f3fd"


HAN: Final = "\u6bcf"
WIDE: Final = f"\U0001f680\U0001f469{HAN}[*`<|"
FOLDER: Final = f"\U0001f680{HAN}`" * 20  # 160 bytes, of 255 in a file system


def test_single_items_of_the_most_costly_characters_fit(agent_hub: AgentHub) -> None:
    """Each answer has at least one item, however many tokens its texts have."""
    agent = agent_hub.agent
    project = agent_hub.create_project((WIDE * 40)[:255])
    name = (WIDE * 40)[:255]
    files = {
        f"{'/'.join([FOLDER] * count)}.md": (
            f"# {WIDE * 90} {WORD}\n\n## {WIDE * 90}\n\n### {HAN * 999}\n\n"
            f"{(WIDE + ' ' + WORD) * 90}\n\n[x](gone{count}.md)\n"
        ).encode()
        for count in range(1, 5)
    }
    remote = agent_hub.server.create("team/wide")
    remote.commit(files)
    source = agent_hub.create_source(project, remote, name=name)
    assert agent_hub.sync(source)["status"] == "completed"
    work = Work(agent_hub.board, project, source, name)
    for number in range(3):
        work.add_epic(f"{number}{WIDE * 30}"[:100], WIDE * 90, tree=WIDE * 90)
        work.add_story(
            f"{number}.{WIDE * 30}"[:100],
            WIDE * 90,
            status="approved",
            is_ready=True,
            path=[*files][-1],
            anchor=HAN * 999,
            tree=WIDE * 90,
            waits_for=[awaited(WIDE * 30, WIDE, "draft")] * 9,
            gate=gate(WIDE * 30),
        )
        work.add_problem(detail=WIDE * 200, path=[*files][-1], line=1, tree=WIDE * 90)
    for tool, name in LISTS.items():
        arguments: dict[str, Any] = {} if tool == "list_projects" else {"project": project}
        if tool == "search":
            arguments["query"] = (WORD + " " + "\U0001f680" * 300)[:256]
        assert agent.call_all(tool, name, **arguments), tool
    for each in agent.call_all("list_documents", "documents", project=project):
        read = agent.call("read_document", id=each["id"])
        assert read.structured["content"]
