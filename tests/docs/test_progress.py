"""docs/progress.md names all statuses, words and kinds of problems, as the code has them."""

from __future__ import annotations

import re
from typing import get_args

from service import ROOT
from service.bmad.problem_kinds import SEVERITIES, ProblemKind
from service.bmad.readings import STATUSES
from service.bmad.statuses import read_status
from service.bmad.story_json import SOURCES
from tests.docs.markdown import read_rows

PROGRESS = ROOT / "docs/progress.md"


def test_every_kind_of_problem_is_listed_once() -> None:
    rows = read_rows(PROGRESS, "Problems")
    assert sorted(row[0].strip("`") for row in rows) == sorted(get_args(ProblemKind))
    assert {row[1] for row in rows} == {*SEVERITIES}


def test_every_status_is_listed_with_words_that_mean_it() -> None:
    rows = read_rows(PROGRESS, "Status words")
    assert [row[0].strip("`") for row in rows] == [*STATUSES]
    for status, words in rows[:-1]:
        for word in words.replace(" …", "").split(", "):
            assert read_status(word) == status.strip("`"), word


def test_every_source_of_a_status_is_listed() -> None:
    rows = read_rows(PROGRESS, "Which source decides a status")
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[2])}
    assert named == {*SOURCES.values(), "tickets", "gate"}
