"""The pages' own examples work one after another, in the order in which a newcomer reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service import ROOT
from tests.docs.markdown import README
from tests.support.hub import hub_variables, running_hub
from tests.support.service import run_command

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [README, ROOT / "docs/syncing.md", ROOT / "docs/reference.md"]
EXAMPLE = re.compile(
    r"^\$ just (?P<sync>sync) \S+ --folder (?P<folder>\S+) --project (?P<project>\S+)$"
    r"|^\$ curl -s localhost:8000/api/projects .*-d '(?P<body>\{.+\})'$",
    re.MULTILINE,
)


def test_each_project_of_the_examples_can_be_added_in_turn(database: str, tmp_path: Path) -> None:
    examples = [found for page in PAGES for found in EXAMPLE.finditer(page.read_text())]
    assert [bool(found["sync"]) for found in examples] == [True, True, False, False]
    with running_hub(database, tmp_path) as hub:
        remote = hub.server.create()
        remote.commit({"docs/a.md": b"# A\n"})
        variables = hub_variables(tmp_path, hub.server)
        for found in examples:
            if found["sync"]:
                options = ("--folder", found["folder"], "--project", found["project"])
                result = run_command(
                    "sync", remote.url, *options, cwd=ROOT, DATABASE_URL=database, **variables
                )
                assert result.returncode == 0, result.stderr
            else:
                headers = {"Content-Type": "application/json"}
                created = hub.client.post("/api/projects", content=found["body"], headers=headers)
                assert created.status_code == 201, created.text
