"""The reference names the settings, recipes, limits and metrics of the code, and no others."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service import ROOT
from service.documents.text import FILE_TYPES
from service.git.contents import MAX_FILE_BYTES
from service.mcp.answers import ANSWER_TOKENS
from service.mcp.document_tool import MOST_TOKENS
from service.rendering import csv_table, document, highlighting, markdown_limits
from service.rendering.code import MAX_HIGHLIGHTED
from service.rendering.elements import MAX_NESTING
from service.routes import document_texts
from service.routes.syncs import RUNS_PER_PAGE
from service.server import protocol
from service.site import templating
from service.site.contents import MAX_ENTRIES
from service.site.document import KEPT_BYTES, NEAR_SHOWN, RENDERED_AT_ONCE, TURN_SECONDS
from service.site.folder import ENTRIES_PER_PAGE
from service.site.overview import KEPT_BYTES as KEPT_OVERVIEWS
from service.site.templating import LISTED_AT_ONCE
from service.sync.claims import CLAIM_SECONDS, MAX_ATTEMPTS, RENEW_SECONDS
from service.web.large_bodies import ROOM, WAIT_SECONDS, WHOLE
from service.web.middleware import (
    BODY_SECONDS,
    MAX_BODY_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_WEBHOOK_BYTES,
)
from service.web.paging import MAX_LIMIT, MAX_PAGE_BYTES
from service.web.references import MAX_SLASHES
from service.web.room import GRACE_SECONDS, LOWEST_SPEED, LOWEST_SPEED_OF_HALF
from tests.docs.markdown import README, read_rows, read_section
from tests.support.promtool import needs_promtool, promtool
from tests.support.service import SETTING_NAMES, json_log, serving

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

REFERENCE = ROOT / "docs/reference.md"
OPERATING = ROOT / "docs/operating.md"
SYNCING = ROOT / "docs/syncing.md"
SETTINGS_SOURCE = (ROOT / "service/settings.py").read_text()
MIB = 1024 * 1024


def test_the_settings_are_those_of_the_code() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS_SOURCE))
    named = {row[0].strip("`") for row in read_rows(REFERENCE, "Settings")}
    assert named == read == SETTING_NAMES


def test_the_defaults_are_those_of_the_committed_file() -> None:
    lines = (ROOT / ".env").read_text().splitlines()
    defaults = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    named = {row[0].strip("`"): row[1].strip("`") for row in read_rows(REFERENCE, "Settings")}
    assert named == defaults | {"MIGRATIONS_DATABASE_URL": "that of DATABASE_URL"}


def test_the_ranges_of_settings_are_those_of_the_code() -> None:
    ranges = re.findall(r'"([A-Z_]+)",[^"]*?validate=between\(([\d.]+), (\d+)\)', SETTINGS_SOURCE)
    checked = {name: f"{low} to {high}" for name, low, high in ranges if name != "BACKEND_PORT"}
    named = {
        row[0].strip("`"): found[1]
        for row in read_rows(REFERENCE, "Settings")
        if (found := re.search(r", ([\d.]+ to \d+)", row[2]))
    }
    assert len(named) == 11
    assert named == {name: checked[name] for name in named}


def test_the_recipes_are_those_of_the_justfile() -> None:
    dumped = subprocess.run(
        ["just", "--dump", "--dump-format", "json"], cwd=ROOT, capture_output=True, check=True
    )
    recipes = json.loads(dumped.stdout)["recipes"]
    public = {name for name, recipe in recipes.items() if not recipe["private"]}
    assert {row[0].strip("`").split()[1] for row in read_rows(REFERENCE, "Recipes")} == public


def test_the_limits_are_those_of_the_code() -> None:
    limits = {of: limit for of, limit, _ in read_rows(REFERENCE, "Limits")}
    sending = f"{BODY_SECONDS:g} s to send it"
    assert limits == {
        "a body": f"{MAX_BODY_BYTES // MIB} MiB, and {sending}",
        "a message to `/mcp`": f"{MAX_MESSAGE_BYTES // 1024} KiB, and {sending}",
        "the body of a webhook": f"{MAX_WEBHOOK_BYTES // MIB} MiB, and {sending}",
        "the request line and the headers": (
            f"{protocol.MAX_HEAD_BYTES // 1024} KiB, and {protocol.HEAD_SECONDS:g} s to send them"
        ),
        "slashes of a path": f"{MAX_SLASHES}",
        "an idle connection, after a response": f"{protocol.KEEP_ALIVE_SECONDS} s",
        "an idle connection, before its first request": f"{protocol.HEAD_SECONDS:g} s",
        "a client that reads nothing of a response": f"{protocol.STALL_SECONDS:g} s",
        f"responses of more than {WHOLE // 1024} KiB that clients have not read yet": (
            f"{ROOM // MIB} MiB in each worker, waiting up to {WAIT_SECONDS:g} s"
        ),
        (
            f"a client that reads less than {LOWEST_SPEED // 1024} KiB/s of a large response, "
            "while others lack room for theirs"
        ): f"{GRACE_SECONDS:g} s",
        (
            "the same for an address, as the log has it, whose responses hold more than half of "
            f"the room: less than {LOWEST_SPEED_OF_HALF // MIB} MiB/s"
        ): f"{GRACE_SECONDS:g} s",
        "a body that no route reads": (
            f"{protocol.MAX_UNREAD_BYTES // MIB} MiB, "
            f"and {protocol.UNREAD_BODY_SECONDS:g} s to send it"
        ),
        "requests sent on one connection before the first response": f"{protocol.MAX_WAITING}",
        "an answer of a tool for [coding agents](agents.md#what-an-answer-costs)": (
            f"{ANSWER_TOKENS:,} tokens of text, and as many of JSON; `read_document` up to "
            f"{MOST_TOKENS:,}"
        ),
        "a Markdown document on a page": (
            f"{markdown_limits.MAX_SHOWN:,} characters, {markdown_limits.MAX_TAGS:,} tags of HTML, "
            f"elements {MAX_NESTING} deep"
        ),
        "other files on a page": (
            f"{document.MAX_FILE:,} characters, {document.MAX_LINES:,} lines; a table of CSV: "
            f"{csv_table.MAX_ROWS:,} rows, {csv_table.MAX_CELLS:,} cells"
        ),
        "highlighted code of a document": (
            f"{MAX_HIGHLIGHTED:,} characters; a block: {highlighting.MAX_CODE:,}, lines of "
            f"{highlighting.MAX_LINE}, {highlighting.MAX_SECONDS:g} s"
        ),
        "entries of a folder on a page": (
            f"{ENTRIES_PER_PAGE:,}; beside a document: {NEAR_SHOWN} before it and {NEAR_SHOWN} "
            "after it"
        ),
        "headings in the table of contents of a document": f"{MAX_ENTRIES}",
        "documents that a worker renders at once": (
            f"{RENDERED_AT_ONCE}, the others wait up to {TURN_SECONDS:g} s"
        ),
        (
            "pages with lists that a worker makes at once: of folders, and of a project's work"
        ): f"{LISTED_AT_ONCE}, the others wait up to {templating.TURN_SECONDS:g} s",
        (
            f"documents of more than {document_texts.READ_WITHOUT_TURN:,} bytes that a worker "
            "reads at once for agents"
        ): (
            f"{document_texts.READ_AT_ONCE}, the others wait up to "
            f"{document_texts.TURN_SECONDS:g} s"
        ),
        "the HTML of documents that a worker keeps, also compressed": f"{KEPT_BYTES // MIB} MiB",
        "overviews of projects as HTML that a worker keeps": f"{KEPT_OVERVIEWS // MIB} MiB",
    }


def test_the_sizes_of_pages_are_those_of_the_code() -> None:
    text = read_section(REFERENCE, "Lists")
    assert f"`?limit=` takes 1 to {MAX_LIMIT:,}" in text
    assert f"({RUNS_PER_PAGE} for runs)" in text
    assert f"more than {MAX_PAGE_BYTES // MIB} MiB together" in text


def test_the_example_of_an_error_is_what_the_service_sends(client: httpx.Client) -> None:
    [line] = re.findall(r"^\{.+\}$", read_section(REFERENCE, "Errors"), re.MULTILINE)
    sent = client.get("/api/nothing").json()
    assert json.loads(line) | {"request_id": sent["request_id"]} == sent


def test_the_metrics_are_those_of_the_service(client: httpx.Client) -> None:
    families = text_string_to_metric_families(client.get("/metrics").text)
    sent = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in families
    }
    assert {row[0].strip("`") for row in read_rows(REFERENCE, "Metrics")} == sent


def test_every_alert_is_on_a_metric_of_the_service() -> None:
    metrics = {row[0].strip("`") for row in read_rows(REFERENCE, "Metrics")}
    rows = read_rows(OPERATING, "Watch it")
    assert len(rows) == 7
    for expression, _ in rows:
        named = re.findall(r"\b(?:bmadflow|http_server|db_client)_\w+", expression)
        assert named, expression
        assert {name.removesuffix("_count") for name in named} <= metrics


@needs_promtool
def test_promtool_can_read_every_alert(tmp_path: Path) -> None:
    alerts = [
        {"alert": f"Alert{number}", "expr": re.findall("`([^`]+)`", expression)[0]}
        for number, (expression, _) in enumerate(read_rows(OPERATING, "Watch it"))
    ]
    rules = tmp_path / "rules.yml"
    rules.write_text(json.dumps({"groups": [{"name": "bmadflow", "rules": alerts}]}))
    code, output = promtool("check", "rules", str(rules))
    assert code == 0, output


def test_the_reasons_of_health_are_those_of_the_code() -> None:
    source = (ROOT / "service/health.py").read_text()
    found = re.findall(r'Health\("(\w+)", "(\w+)"\)', source)
    named = [(row[1].strip("`"), row[2].strip("`")) for row in read_rows(OPERATING, "Health")]
    assert sorted(named) == sorted(found)


def test_the_example_of_a_log_line_has_the_fields_of_a_real_one(database: str) -> None:
    [line] = re.findall(r"^\{.+\}$", read_section(REFERENCE, "Log lines"), re.MULTILINE)
    example = json.loads(line)
    traceparent = f"00-{example['trace_id']}-{example['parent_id']}-01"
    with json_log() as read_log:
        with serving(database) as client:
            client.get("/docs/assets/page.css", headers={"traceparent": traceparent})
        lines = [json.loads(line) for line in read_log().splitlines()]
    [written] = [line for line in lines if line["message"] == "request"]
    assert list(written) == list(example)
    for name in ("method", "route", "status", "trace_id", "level"):
        assert written[name] == example[name]


@pytest.mark.parametrize("event", ["health_lost", "health_recovered", "sync_finished"])
def test_the_events_that_the_pages_name_are_logged(event: str) -> None:
    assert re.search(rf'[`"]{event}[`"]', OPERATING.read_text())
    call = re.compile(rf'log\.\w+\(\s*"{event}"')
    assert any(call.search(path.read_text()) for path in ROOT.glob("service/**/*.py"))


def test_the_documents_are_the_files_that_the_code_takes() -> None:
    heading = "Which files are documents, and which are skipped"
    text = read_section(SYNCING, heading)
    assert set(re.findall(r"`(\.\w+)`", text)) == set(FILE_TYPES)
    assert f"larger than {MAX_FILE_BYTES / 1e6:g} MB" in text


def test_the_seconds_of_a_claim_are_those_of_the_code() -> None:
    [claim] = [text for word, text in read_rows(README, "Concepts") if word == "claim"]
    assert f"{CLAIM_SECONDS:g} s, renewed every {RENEW_SECONDS:g} s" in claim
    assert f"A claim lasts {CLAIM_SECONDS:g} s" in SYNCING.read_text()
    assert MAX_ATTEMPTS == 3
    assert "claimed three times and never ended fails" in SYNCING.read_text()


def test_the_secrets_that_may_be_in_files_are_those_of_the_code() -> None:
    read = set(re.findall(r'env\.secret\(\s*"([A-Z_]+)"', SETTINGS_SOURCE))
    named = set(re.findall(r"`([A-Z_]+)_FILE`", read_section(REFERENCE, "Settings")))
    assert named == read
