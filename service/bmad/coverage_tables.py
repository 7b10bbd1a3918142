"""Tables that map requirements to epics and stories, whatever the requirements are called.

Names such as FR1 tell themselves: requirement_names.py. Those such as R1 and 1.2 are read only
where a heading and the columns say what they are.
"""

import re
from typing import Final

from service.bmad.epic_shapes import STORY_WORD
from service.bmad.readings import MAX_ID
from service.bmad.tables import Row

# The heading of a map of requirements, in its words and in the text of a document.
REQUIREMENT_MAP: Final = re.compile(
    r"\b(?:n?frs?|req(?:uirement)?s?|exigences?|requisitos)\b[^\n]{0,60}?"
    r"(?:coverage|trac|\bmap|matrix|couverture|cobertura)"
    r"|(?:coverage|\bmap(?:ping)?|matrix) of (?:requirements|n?frs)|traceab|traçab|trazab"
    r"|需求.{0,9}(?:覆盖|追踪|矩阵)",
    re.IGNORECASE,
)
MAP_HEADING: Final = re.compile(
    rf"^#{{1,6}}\s[^\n]{{0,100}}?(?:{REQUIREMENT_MAP.pattern})", re.IGNORECASE | re.MULTILINE
)
EPIC_HEADER: Final = re.compile(r"epic|épique|史诗|에픽|エピック")
# At the beginning of a cell: the name, and its letters.
_LOOSE_NAME: Final = re.compile(
    r"[\W_]{0,12}?(([A-Za-z]{0,6})(?:(?<=[A-Za-z])[-_ ]?\d{1,6}|\d{1,4}(?=\.\d))(?:\.\d{1,4}){0,3}"
    r"[a-z]?)(?=[*_`)\]\s]{0,6}(?:[:\uff1a\u2014\u2013(]|-\s|\Z))"
)
_REQUIREMENT_HEADER: Final = re.compile(
    r"(?:functional )?req(?:uirement)?s?\b|exigence|requisito|需求|요구"
)
_ID_HEADER: Final = re.compile(r"#|ids?|no\.?|nr\.?|ref(?:erence)?\.?")
# With these letters, names are of other things: criteria, epics, stories, tasks, tests, risks.
_WORK_PREFIX: Final = re.compile(
    "AC|E|EP|EPIC|S|ST|US|STORY|T|TASK|TC|P|V|BUG|SPIKE|UT|IT|TEST|RISK", re.IGNORECASE
)
# A column of these says that the rows are tests or risks.
_OTHER_HEADER: Final = re.compile(r"\b(?:test|risk|case)s?\b|\brisques?\b|\bpruebas?\b|测试|风险")
_NO_WORK: Final = re.compile(
    r"[\W_]*|none|n/a|tbd|gap|missing|uncovered|not covered", re.IGNORECASE
)


def read_loose_name(row: Row) -> str | None:
    """Return the name that begins a row of a map of requirements, such as R1 or 1.2; else None.

    The first column must say that it has requirements, and another that it has epics or stories. A
    column of ids alone must have letters before numbers, for 1.2 may be a story, and no column of
    tests or risks beside it.
    """
    header = row.header[0]
    is_certain = bool(_REQUIREMENT_HEADER.match(header))
    if not (is_certain or _ID_HEADER.fullmatch(header)):
        return None
    if not is_certain and any(map(_OTHER_HEADER.search, row.header)):
        return None
    if is_of_work(header) or not any(map(is_of_work, row.header[1:])):
        return None
    found = _LOOSE_NAME.match(row.cells[0])
    if found is None or _WORK_PREFIX.fullmatch(found[2]) or not (is_certain or found[2]):
        return None
    return found[1].replace(" ", "")[:MAX_ID]


def says_nothing_covers(row: Row) -> bool:
    """Return whether all cells of a row for epics and stories are empty, or say that none is."""
    cells = zip(row.header, row.cells, strict=False)
    return all(_NO_WORK.fullmatch(cell) for name, cell in cells if is_of_work(name))


def is_of_work(header: str) -> bool:
    """Return whether a column has epics or stories."""
    return bool(EPIC_HEADER.search(header) or STORY_WORD.search(header))
