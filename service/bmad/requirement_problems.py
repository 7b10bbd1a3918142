"""Requirements of which no story is known."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from service.bmad.epic_list import EpicList
from service.bmad.identity import fold_id
from service.bmad.key_files import TreeDocument
from service.bmad.problem_kinds import BoardProblem
from service.bmad.readings import MAX_TEXT
from service.bmad.work_items import WorkItem

NOT_IN_NAME: Final = re.compile(r"(?<!\d)[\W_]+|[\W_]+(?!\d)")


def requirements_of(
    documents: Sequence[TreeDocument], epics: EpicList, items: Sequence[WorkItem]
) -> Iterator[BoardProblem]:
    """Yield requirements of which no story is known, where documents say what is covered.

    Nothing is said of kinds of which none is covered, such as UX-DR where a map is of FR alone, and
    of FR2 where FR2.1 is covered.
    """
    covered: dict[str, bool] = {}  # by requirement, whether an epic that covers it has stories
    for epic in epics.epics:
        for name in epic.covers:
            folded = _fold_requirement(name)
            covered[folded] = covered.get(folded, False) or epic.has_stories
    for item in items:
        for name in item.covers:
            covered[_fold_requirement(name)] = True
    for document in documents:
        for line in document.reading.get("coverage", ()):
            folded = _fold_requirement(line["requirement"])
            found = [epic for name in line["epics"] if (epic := epics.find(name))]
            has_stories = bool(line["stories"]) or any(epic.has_stories for epic in found)
            covered[folded] = covered.get(folded, False) or has_stories
    known = [name for name, has_stories in covered.items() if has_stories]
    kinds = {_kind_of_requirement(name) for name in covered}
    groups = {group for name in known for group in _groups_of(name)}
    reported: set[str] = set()
    for document in documents:
        for requirement in document.reading.get("requirements", ()):
            folded = _fold_requirement(requirement["id"])
            if covered.get(folded) or folded in reported or folded in groups:
                continue
            if _kind_of_requirement(folded) not in kinds:
                continue
            reported.add(folded)
            yield BoardProblem(
                "requirement_without_story",
                "warning",
                f"No story is known for the requirement {requirement['id']}: {requirement['text']}"[
                    :MAX_TEXT
                ],
                document.path,
                requirement["line"],
            )


def _kind_of_requirement(folded: str) -> str:
    """Return the letters of a requirement's name: FR of FR2.7."""
    return folded.rstrip("0123456789.")


def _groups_of(folded: str) -> Iterator[str]:
    """Yield the names of the groups that a requirement is in: FR2 for FR2.7."""
    while "." in folded:
        folded = folded.rpartition(".")[0]
        yield folded


def _fold_requirement(name: str) -> str:
    """Return a requirement's name for comparisons: FR-01 is FR1, and FR2.7 is not FR27."""
    return fold_id(NOT_IN_NAME.sub("", name))
