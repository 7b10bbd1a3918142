"""The sections of a story: its blocks by what they are about, whatever marks the sections.

A section begins with a heading or a label, in the languages that stories are in. A label is in
bold, or a line that ends with a colon: "Acceptance Criteria:". It may be an item of a list, with
the section in the items below it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple, get_args

from service.documents.blocks import Block

SectionName = Literal[
    "criteria",
    "tasks",
    "status",
    "sentence",
    "dependencies",
    "findings",
    "review",
    "record",
    "notes",
]
SECTION_NAMES: Final[tuple[SectionName, ...]] = get_args(SectionName)

# The levels of a label in bold and of a plain one: below all headings.
LABEL_LEVEL: Final = 7
PLAIN_LEVEL: Final = 8
# Sections that an item begins, and a plain label.
ITEM_ENDS: Final = (":", "\uff1a")
ITEM_LABELS: Final[frozenset[SectionName]] = frozenset(("criteria", "tasks"))
PLAIN_LABELS: Final[frozenset[SectionName]] = frozenset(("criteria", "tasks", "dependencies"))
COLONS: Final = " :\uff1a"
MAX_WORDS: Final = 5  # of a label that is not in bold
MAX_LABEL: Final = 80  # characters of a heading or a label that says what a section is about

# What a heading begins with. The first that matches counts.
_HEADINGS: Final[Mapping[SectionName, str]] = {
    "status": r"(?:(?:story|current)\s+)?(?:status|statut|estado|状态|狀態|상태)"
    r"\s*(?=[:\uff1a]|\Z)",
    "findings": r"(?:code\s+)?(?:ai[- ]?)?review\s+(?:findings|follow-?\s?ups?|action\s+items)"
    r"|action\s+items|(?:patch(?:es)?|defer(?:red)?|decisions?)\s*\Z|(?:评审|审查)(?:发现|问题)",
    "review": r"qa\b|(?:senior\s+)?dev(?:eloper)?\s+review|(?:code|peer|adversarial|story)\s+review"
    r"|review\b|revue\b|revisión|revisão|(?:代码)?(?:评审|审查)|코드\s*리뷰|리뷰|gate\b"
    r"|(?:po|sm|pm)\s+(?:validation|review)|validation\b",
    "record": r"(?:dev(?:eloper|elopment)?\s+)?agent\s+record|dev(?:eloper|elopment)?\s+record"
    r"|completion\s+notes|implementation\s+(?:record|notes|summary)|开发(?:代理|者)?记录"
    r"|registro\s+d[eo]\s+agente|journal\s+(?:de|du)\s+|change\s?log|file\s+list",
    "notes": r"dev(?:eloper|elopment)?\s+(?:technical\s+)?(?:notes?|guidance|context)"
    r"|technical\s+(?:notes|details|context)|notes?\s+(?:de\s+|pour\s+le\s+|du\s+)?d[eé]v"
    r"|notes?\s+techniques?|notas\s+t[eé]cnicas"
    r"|notas\s+(?:de|do|da|del|para\s+(?:o|el))\s+des|开发(?:说明|备注|笔记)|개발\s*(?:노트|기록)|testing\b|test\s+(?:plan|cases)"
    r"|references?\b|definition\s+of\s+done",
    "criteria": r"(?:(?:story|user|functional|detailed|business|bdd)\s+)?acceptance"
    r"(?:\s+(?:criteri(?:a|on)|tests?)\b(?!\W{0,3}(?:validat|coverage|verif|map|trac|status|review"
    r"|result|met\b|check|implement|notes|evidence|complian|test|summary|assess))|\s*\Z|\s*\()"
    r"|acs?\b(?=\s*(?:[:(\-#\d\uff1a]|\Z))|ac\d|ca\s?[-#]?\d|crit[eè]res?\s+d.\s?accepta"
    r"|crit[eé]rios?\s+de\s+acepta|crit[eé]rios?\s+d[eo]\s+aceit|验收(?:标准|条件|准则)?|接受(?:标准|条件|准则)|驗收"
    r"|(?:인수|수용)\s*(?:조건|기준)|受け?入れ",
    "tasks": r"(?:(?:implementation|development|dev|technical|story|engineering|remaining)\s+)?"
    r"(?:sub-?)?tasks?\b(?!\s+(?:complet|notes|log|summary|validat|mapping|status))"
    r"|(?:sous-)?t[aâ]ches?\b|(?:sub-?)?tareas?\b|(?:sub-?)?tarefas?\b|(?:开发|实施)?任务|任務|작업|태스크|タスク",
    "dependencies": r"(?:(?:(?:story|internal)\s+)?dependenc(?:y|ies)|depends?\s+on|blocked\s+by"
    r"|prerequisites?|dépendances?|dépend\s+de|pré-?requis|dependencias?|dependências?"
    r"|前置(?:条件|故事)|(?:直接)?依赖|의존성?)(?=\s*(?:[:(/&\uff1a]|\Z))",
    "sentence": r"(?:user\s+)?story(?:\s+statement)?\s*\Z|histoire(?:\s+utilisateur)?\s*\Z|récit"
    r"|historia(?:\s+de\s+usuario)?\s*\Z|história(?:\s+de\s+usuário)?\s*\Z|(?:用户)?故事\s*\Z"
    r"|(?:사용자\s*)?스토리\s*\Z",
}
HEADING_NAME: Final = re.compile(
    r"(?>[\W_]|\d{1,3}[.)])*+(?:"
    + "|".join(f"(?P<{name}>{words})" for name, words in _HEADINGS.items())
    + ")",
    re.IGNORECASE,
)
# What labels within a section of labels are about if they do not belong to it.
OTHER_LABEL: Final = re.compile(
    r"[\W_]*+(?:technical|dev|implementation|notes?|definition|risks?|story\s+points?|points?"
    r"|priority|estimate|effort|references?|files?|test|change|out\s+of\s+scope|scope|background"
    r"|context|assumptions?|open\s+questions?|execution|goal|value|design|status)\b",
    re.IGNORECASE,
)
# Which sections may begin within another one. "Tasks & Acceptance" begins with tasks, and a label
# says where the criteria begin. The heading "Status" may be in most of them. What is said
# of criteria and tasks in a review is no criterion.
_NOTHING: Final[frozenset[SectionName]] = frozenset()
OPEN_IN: Final[Mapping[SectionName | None, frozenset[SectionName]]] = {
    "criteria": frozenset(("tasks", "dependencies", "criteria", "status")),
    "tasks": frozenset(("criteria", "findings", "tasks", "status")),
    "dependencies": _NOTHING,
    "review": frozenset(("findings",)),
    "record": frozenset(("findings", "status", "tasks")),
    "notes": frozenset(("findings", "dependencies", "status")),
    "findings": _NOTHING,
}
NO_LABELS: Final = frozenset(("li", "tr", "pre"))
HEADING_TAGS: Final = frozenset(f"h{level}" for level in range(1, 7))


class StorySection(NamedTuple):
    """A section: the block that it begins with, and all after it, subsections included.

    `name` is None for all that is not in SECTION_NAMES; so is `head` before the first heading.
    `level` is that of the heading, LABEL_LEVEL or PLAIN_LEVEL for a label.
    """

    name: SectionName | None
    level: int
    head: Block | None
    blocks: list[Block]


@lru_cache(maxsize=4096)
def name_of_section(heading: str) -> SectionName | None:
    """Return what a section with this heading is about."""
    found = HEADING_NAME.match(heading[:MAX_LABEL])
    if not found:
        return None
    name = found.lastgroup
    return name if name in SECTION_NAMES else None


def cut_sections(blocks: Sequence[Block], title_line: int | None) -> list[StorySection]:
    """Return the sections of a story. The heading on `title_line` is the story's title."""
    sections = [StorySection(None, 0, None, [])]
    # The level and the name of each section that the next block may be in.
    open_sections: list[tuple[int, SectionName | None]] = [(0, None)]
    has_items = any(
        block.depth == 1 and block.text.endswith(ITEM_ENDS) and _is_item_label(block)
        for block in blocks
    )
    for block in _unfold(blocks, title_line) if has_items else blocks:
        label = ""
        if block.tag in NO_LABELS or block.depth:  # most blocks
            level = None
        elif block.tag in HEADING_TAGS:
            level = int(block.tag[1])
        elif label := _label(block):
            level = LABEL_LEVEL
        else:
            label = _plain_label(block)
            level = PLAIN_LEVEL if label else None
        if level is None:
            sections[-1].blocks.append(block)
            continue
        is_label_open = open_sections[-1][0] >= level >= LABEL_LEVEL
        while open_sections[-1][0] >= level:
            open_sections.pop()
        around = open_sections[-1][1]
        name = None if block.line == title_line else name_of_section(label or block.text)
        if around in OPEN_IN and name not in OPEN_IN[around]:
            name = None
        # A status is a field, and no section. A label in an agent's record names tasks of the past.
        if label and (name == "status" or (around == "record" and name == "tasks")):
            name = None
        # A line with a colon begins little by itself, but ends what another one began.
        if level == PLAIN_LEVEL and name not in PLAIN_LABELS and not is_label_open:
            name = None
        if label and name is None and not (is_label_open and OTHER_LABEL.match(label)):
            if is_label_open:
                open_sections.append((level, sections[-1].name))
            sections[-1].blocks.append(block)
            continue
        open_sections.append((level, name or around))
        if name is None and around is not None and sections[-1].name == around:
            sections[-1].blocks.append(block)
        elif name in {"criteria", "tasks"} and sections[-1].name == name:
            sections[-1].blocks.append(block)  # "AC1" after "Acceptance Criteria" or "AC0"
        else:
            sections.append(StorySection(name or around, level, block, []))
    return sections


def _unfold(blocks: Iterable[Block], title_line: int | None) -> Iterator[Block]:
    """Yield blocks: of a list with an item that is the label of a section, one level less.

    Below a heading or another label of criteria or tasks, "Tasks:" is one of them.
    """
    is_unfolding = False
    open_level: int | None = None  # of the section of criteria or tasks around the next block
    for block in blocks:
        if not block.depth and block.tag not in NO_LABELS and block.line != title_line:
            label = _label(block)
            level = LABEL_LEVEL if label else level_of_label(block)
            if level is not None and (open_level is None or level <= open_level):
                is_open = name_of_section(label or block.text) in ITEM_LABELS
                open_level = level if is_open else None
        if not block.depth or (block.depth == 1 and block.number is not None):
            is_unfolding = False
        elif not is_unfolding and open_level is None:
            is_unfolding = _is_item_label(block)
        if not is_unfolding:
            yield block
        elif block.depth == 1:
            yield block._replace(tag="p" if block.tag == "li" else block.tag, depth=0)
        else:
            yield block._replace(depth=block.depth - 1)


def _is_item_label(block: Block) -> bool:
    text = block.text
    if block.depth != 1 or block.tag != "li" or block.number is not None or len(text) > MAX_LABEL:
        return False
    if not text.endswith(ITEM_ENDS):
        return False
    has_digit = any(map(str.isdigit, text))  # "AC1:"
    return block.is_checked is None and not has_digit and name_of_section(text) in ITEM_LABELS


def level_of_label(block: Block) -> int | None:
    """Return the level of a heading, or of a label on a line of its own; None for other blocks."""
    if block.depth or block.tag in NO_LABELS:
        return None
    if block.tag in HEADING_TAGS:
        return int(block.tag[1])
    strong = block.strong.rstrip(COLONS)
    if strong and block.text.partition("\n")[0].rstrip(COLONS) == strong:
        return LABEL_LEVEL
    return PLAIN_LEVEL if _plain_label(block) else None


def _label(block: Block) -> str:
    """Return the label in bold that a paragraph begins with, or is."""
    strong = block.strong
    if not strong or len(strong) > MAX_LABEL:
        return ""
    after = block.text[len(strong) : len(strong) + 2].lstrip(" ")
    return strong if strong[-1] in ":\uff1a" or after[:1] in {"", "\n", ":", "\uff1a"} else ""


def _plain_label(block: Block) -> str:
    """Return the line that a paragraph begins with, if it ends with a colon and is no sentence."""
    line = block.text.partition("\n")[0].rstrip(" ")
    is_label = line[-1:] in COLONS and len(line) <= MAX_LABEL and len(line.split()) <= MAX_WORDS
    return line if line and is_label else ""
