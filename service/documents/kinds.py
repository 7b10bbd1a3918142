"""The kind of a document: which part of a project by the BMAD Method it is, by path and content.

The rules hold for the method's layouts 4 to 7. They were counted over 27 public repositories and
checked by hand on 900 stories of six others: names alone are not enough, for what surrounds a story
(its validation, its test plan) is named after it and lies beside it.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from service.documents.kind_names import KINDS, Kind
from service.documents.story_signs import (
    EPIC_WORDS,
    has_epic_heading,
    is_specified,
    is_story,
    is_story_of_epic,
    names_story_of_epic,
    starts_with_id,
)

# Folders of the method's own tools, which hold half of all Markdown and many look-alikes.
TOOLS: Final = re.compile(
    r"\..+|_?bmad|bmad-(?!output).*|node_modules|expansion-packs|web-bundles|templates?"
)
TEMPLATE: Final = re.compile(
    r"(?:.*[-_. ])?(?:template|tmpl)(?:[-_. ]v?\d[\d.]*)?|template[-_. ].*"
)
# Of a template's heading, such as "Story {{epic_num}}.{{story_num}}".
PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}|^\W*(?:user )?(?:story|epic)\s*[{\[<]", re.IGNORECASE)
README: Final = re.compile(r"readme(?:[-_. ].{1,12})?")

# The deepest of these folders says what lies in it.
_FOLDERS: Final[Mapping[Kind, str]] = {
    "story": "stories|story|user-stories|implementation-artifacts|sprint-artifacts|specs"
    "|histoires|r[eé]cits|hist[oó]rias(?:-de-usu[aá]rio)?",
    "gate": "gates|quality-gates",
    "epic": "epics|[ée]pic[oa]s|[ée]piques|[ée]popées|epopeyas",
    "prd": "prd|prds",
    "architecture": "architecture|architectures|adr|adrs",
    "brief": "brief|briefs",
    "ux": "ux|ux-design|ux-designs|ui-ux",
    "other": "reviews?|qa|retros?|retrospectives?|tech-specs?|spikes?|research|runbooks?|plans?"
    "|sessions?|tests?|testing|assessments?|checklists?|validations?|handoffs?",
}
HOME: Final = re.compile("|".join(f"(?P<{kind}>{names})" for kind, names in _FOLDERS.items()))
# Where version 6.11 writes stories as `spec-<slug>.md`, with or without an id; and what the folder
# `stories` of a specification is in, where names begin with an id.
SPEC_FOLDER: Final = re.compile(r"(?:implementation|sprint)-artifacts|(?:user-)?stories")
SPECIFICATION: Final = re.compile(r"specs|spec-.+")
EPIC_FOLDER: Final = re.compile(rf"(?:{EPIC_WORDS})s?[-_ ]?[a-z]{{0,3}}-?\d.*")
STORY_IN_EPICS: Final = re.compile(r"story[-.]?[a-z]{0,3}-?\d")

# Names of planning documents, in this order: the first part of a name says more than the last.
# A list of epics may have its version after a point: "epics.v2".
EPIC_NAME: Final = re.compile(
    rf"(?:{EPIC_WORDS})s?(?:-.+|\d.*)?|(?:{EPIC_WORDS})s\.?v?\d[\d.]*|.+-(?:{EPIC_WORDS})s?"
)
PLANNING_NAMES: Final[Sequence[tuple[Kind, re.Pattern[str]]]] = (
    ("prd", re.compile(r"prd(?:-.+)?|product-requirements?(?:-.+)?|.+-prd|.+-prd-v?\d.*")),
    ("ux", re.compile(r"(?:.+-)?(?:ux|ui-ux|(?:front-?end|ui)-spec(?:ification)?)(?:-.+)?")),
    ("brief", re.compile(r"(?:.+-)?brief(?:-.+)?")),
    ("architecture", re.compile(r"(?:.+-)?architectures?(?:-.+)?")),
)
# Words that make a document one about the document of that name.
ABOUT: Final = re.compile(
    r"(?:^|[-_. ])(?:review(?:er|s)?|validat\w+|reports?|summary|checklist|retros?|retrospectives?"
    r"|handoff|notes|findings|changelog|readiness|completion|audit|rubric|reconcile|extract"
    r"|assessment|feedback|proposal|prompts?|research|decision-log|examples?)(?=[-_. ]|$)"
)
# Of an epic only at its name's end: "epic-3-audit" may be one.
ABOUT_EPIC: Final = re.compile(
    rf".*(?:{ABOUT.pattern}|-(?:context|plan|status|complete|updates?|kickoff|progress|tests?))"
    r"(?:-[\d-]+)?|.*-retro(?:spective)?(?:-.*)?|.*-epic-.*-handoff.*"
)

PLANNING_HEADINGS: Final[Sequence[tuple[Kind, re.Pattern[str]]]] = (
    (
        "prd",
        re.compile(
            r"product requirements? (?:document|specification)|产品需求文档"
            r"|^PRD\s*[:\uff1a\u2014\u2013-]|\bPRD\W?$",
            re.IGNORECASE,
        ),
    ),
    (
        "ux",
        re.compile(
            r"\b(?:ux|ui/ux|ux/ui|front-?end|user experience)\b.{0,20}\bspec(?:ification)?\b",
            re.IGNORECASE,
        ),
    ),
    ("brief", re.compile(r"\b(?:product|project) brief\b", re.IGNORECASE)),
    (
        "architecture",
        re.compile(
            r"\barchitecture (?:decision )?(?:document|specification|spine)\b|架构(?:设计)?文档",
            re.IGNORECASE,
        ),
    ),
    ("epic", re.compile(r"\bepics? (?:breakdown|list\b|(?:and|&) )", re.IGNORECASE)),
)
# Each of these headings has one of these in it, in lower case.
PLANNING_WORDS: Final = ("requirement", "prd", "产品", "spec", "brief", "archi", "架构", "epic")
WORKFLOW_TYPES: Final[Sequence[tuple[str, Kind]]] = (
    ("prd", "prd"),
    ("architecture", "architecture"),
    ("brief", "brief"),
    ("ux", "ux"),
    ("epic", "epic"),
)

DECISION: Final = re.compile(
    r"^[\W_]{0,20}(?:[\w ]{0,20}\b)?(?:gate|gate[_ ]decision|decision|status|verdict|result)\b"
    r"[\W_]{0,20}(?:pass(?:ed)?(?!\s+(?:through|along|on\s+to)\b)|concerns?|fail(?:ed)?|waived)\b",
    re.IGNORECASE | re.MULTILINE,
)
GATE_KEY: Final = re.compile(
    r"^gate(?:_decision)?[ \t]*:[ \t]*[\"']?(?P<decision>pass|concerns|fail|waived)\b",
    re.IGNORECASE | re.MULTILINE,
)
# What gates have besides their decision; other data may have a key "gate" with such a word in small
# letters, too.
OF_GATE: Final = re.compile(
    r"^[\"']?(?:id|schema|story\w*|epic\w*|reviewer\w*|reviewed\w*|status_reason|updated"
    r"|top_issues|waiver|quality_score|expires|evidence|nfr_validation|risk_summary|notes"
    r"|findings)[\"']?[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
NAMED_GATE: Final = re.compile(r".+[-_. ]gate(?:[-_. ].+)?|gate[-_. ].+")
GATE_NAME: Final = re.compile(r"(?:.+[-_. ])?gate(?:[-_. ].+)?")
GATE_TEXT: Final = 20_000  # characters in which a gate's decision is


def kind_of(path: str, file_type: str, metadata: Mapping[str, Any], text: str) -> Kind:
    """Return the kind of a document, given what read_document returns for it; never raises.

    The method's tools and templates are "other", and so is a ticket's plan, for the ticket has one
    story. A key of sprint-status.yaml may name a document of another kind as a story: see
    read_candidate.
    """
    *folders, name = path.split("/")
    if any(map(is_folder_of_tools, folders)):
        return "other"
    stem = name.rpartition(".")[0] or name
    slug = re.sub(r"[_\s]+", "-", stem.lower())
    if README.fullmatch(slug):
        return "readme" if file_type in {"md", "txt"} else "other"
    heading = _heading(metadata)
    if (TEMPLATE.fullmatch(slug) and not starts_with_id(stem)) or PLACEHOLDER.search(heading):
        return "other"
    home = home_of(folders)
    if file_type != "md":
        return _kind_of_data(file_type, slug, stem, home, text)
    if home == "gate":
        is_gate = starts_with_id(stem) or DECISION.search(text, 0, GATE_TEXT)
        return "gate" if is_gate else "other"
    if "ticket" in _front_matter(metadata) and slug.endswith("-plan"):
        return "other"
    if has_epic_heading(heading) and home != "other" and not ABOUT.search(slug):
        return "story" if is_story_of_epic(stem, metadata.get("headings", ())) else "epic"
    in_epic_folder = home in {None, "epic"} and bool(
        STORY_IN_EPICS.match(slug)
        or names_story_of_epic(stem)
        or (folders and EPIC_FOLDER.fullmatch(folders[-1].lower()) and starts_with_id(stem))
    )
    if is_story(
        stem,
        heading,
        metadata,
        text,
        in_story_folder=home == "story" or in_epic_folder,
        in_other_folder=home not in {None, "story"} and not in_epic_folder,
    ):
        return "story"
    if home == "story" and is_specified(stem, metadata) and _is_in_6_11(folders, stem):
        return "story"
    if home == "other":
        return "other"
    if GATE_NAME.fullmatch(slug) and DECISION.search(text, 0, GATE_TEXT):
        return "gate"
    return _kind_by_name(slug, home, folders) or _kind_by_heading(slug, heading, home, metadata)


def _kind_of_data(file_type: str, slug: str, stem: str, home: Kind | None, text: str) -> Kind:
    if file_type in {"yaml", "json"}:
        decision = GATE_KEY.search(text, 0, GATE_TEXT)
        if decision and (
            not decision["decision"].islower()
            or home is not None
            or starts_with_id(stem)
            or NAMED_GATE.fullmatch(slug)
            or OF_GATE.search(text, 0, GATE_TEXT)
        ):
            return "gate"
        if home == "gate" and (starts_with_id(stem) or DECISION.search(text, 0, GATE_TEXT)):
            return "gate"
    if file_type == "toml":
        return "epic" if slug == "tickets" else "other"
    if file_type == "yaml" and not names_story_of_epic(slug):
        return "epic" if EPIC_NAME.fullmatch(slug) and not ABOUT_EPIC.fullmatch(slug) else "other"
    return "other"


def home_of(folders: Sequence[str]) -> Kind | None:
    """Return the kind that the deepest folder with a known name holds."""
    for folder in reversed(folders):
        if held := _held_by(folder):
            return held
    return None


def _is_in_6_11(folders: Sequence[str], stem: str) -> bool:
    """Return whether a file in a folder of stories has the path of a story of version 6.11."""
    *above, folder = (re.sub(r"[_\s]+", "-", each.lower()) for each in folders)
    if stem.lower().startswith("spec-"):
        return any(map(SPEC_FOLDER.fullmatch, (*above, folder)))
    return folder == "stories" and starts_with_id(stem) and any(map(SPECIFICATION.fullmatch, above))


# Most of a repository's documents are in a few folders.
@lru_cache(maxsize=1024)
def is_folder_of_tools(folder: str) -> bool:
    """Return whether a folder with this name is one of the method's tools."""
    return bool(TOOLS.fullmatch(folder.lower()))


@lru_cache(maxsize=1024)
def _held_by(folder: str) -> Kind | None:
    if found := HOME.fullmatch(re.sub(r"[_\s]+", "-", folder.lower())):
        assert found.lastgroup in KINDS
        return found.lastgroup
    return None


def _kind_by_name(slug: str, home: Kind | None, folders: Sequence[str]) -> Kind | None:
    if names_story_of_epic(slug):
        return None
    if EPIC_NAME.fullmatch(slug):
        return None if ABOUT_EPIC.fullmatch(slug) else "epic"
    is_shard = home in {"prd", "architecture"} and HOME.fullmatch(folders[-1].lower())
    if is_shard:  # of a document that was cut into files
        return home
    if ABOUT.search(slug):
        return None
    for kind, names in PLANNING_NAMES:
        if names.fullmatch(slug):
            return kind
    if home == "prd":
        return "prd" if slug in {"addendum", "index"} else None
    if home in {"architecture", "brief", "ux", "epic"}:
        return home
    return "prd" if slug == "spec" and home == "story" else None


def _kind_by_heading(
    slug: str, heading: str, home: Kind | None, metadata: Mapping[str, Any]
) -> Kind:
    if home is not None:
        return "other"
    kind = _kind_by_workflow(metadata) or _kind_of_heading(heading)
    is_about_one = kind and (ABOUT.search(slug) or ABOUT.search(heading.lower()))
    return "other" if kind is None or is_about_one else kind


def _kind_by_workflow(metadata: Mapping[str, Any]) -> Kind | None:
    workflow = str(_front_matter(metadata).get("workflowType", "")).lower()
    return next((kind for word, kind in WORKFLOW_TYPES if word in workflow), None)


def _kind_of_heading(heading: str) -> Kind | None:
    folded = heading.casefold()
    if not any(map(folded.__contains__, PLANNING_WORDS)):  # most headings, ten times as fast
        return None
    return next((kind for kind, titles in PLANNING_HEADINGS if titles.search(heading)), None)


def _front_matter(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    return metadata.get("front_matter") or {}


def _heading(metadata: Mapping[str, Any]) -> str:
    """Return the first heading of level 1, or else the title of the front matter."""
    headings: Sequence[Mapping[str, Any]] = metadata.get("headings", ())
    for heading in headings:
        if heading["level"] == 1:
            return heading["text"]
    return str(_front_matter(metadata).get("title") or (headings[0]["text"] if headings else ""))
