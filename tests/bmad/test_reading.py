"""What is read of each document: which keys its reading has, and within which limits."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bmad.reading import read_document
from service.bmad.readings import MAX_ID, MAX_ITEMS, MAX_KEY, MAX_TEXT, Reading
from service.characters import UNSTORABLE, replace_unstorable
from tests.bmad.story_text import V4_STORY
from tests.support.bmad_documents import bmad_document

STORY = """\
# Story 1.1: Sign in

Status: done

## Acceptance Criteria

1. It works.

## Tasks

- [ ] Write it
"""
PLAN = "---\nticket: 1\nstatus: done\n---\n# Plan\n"
EPICS = """\
# Epics

- FR1: Users pay.

## FR Coverage Map

FR1: Epic 1 - Payments

## Epic 1: Payments

See [the story](stories/1.1.md).
"""
RETROSPECTIVE = "---\nepic: 1\nverdict: accepted\n---\n# Retrospective\n"
DEFERRED = "# Deferred Work\n\n## Deferred from: a review\n\n- Round sums\n"
GATE = "gate: PASS\nstory: 1.1\n"
TRACKER = "development_status:\n  1-1-sign-in: done\n"
TICKETS = '[[entry]]\nid = "1"\ntitle = "Sign in"\n'
STORIES_YAML = '- id: "1"\n  title: Sign in\n'
BROKEN = "---\nauthors: [\n---\n# Notes\n"

# The texts of documents that say something of the work, by path, and the keys of their readings.
DOCUMENTS: Mapping[str, tuple[str, set[str]]] = {
    "docs/stories/1.1.sign-in.md": (STORY, {"story"}),
    "docs/stories/1.2.pay.md": (STORY + "\n[gone](gone.md)\n", {"story", "links"}),
    "out/pay/story-pay-plan.md": (PLAN, {"plan"}),
    "docs/epics.md": (EPICS, {"epics", "requirements", "coverage", "links"}),
    "docs/prd.md": ("# PRD\n\n- FR1: Users pay.\n", {"requirements"}),
    "docs/payments-retro.md": (RETROSPECTIVE, {"retrospective"}),
    "docs/deferred-work.md": (DEFERRED, {"deferred"}),
    "docs/qa/gates/1.1-sign-in.yml": (GATE, {"gate"}),
    "docs/qa/gates/1.1-sign-in.md": ("# Gate\n\n**Gate:** PASS\n", {"gate"}),
    "docs/qa/gates/1.1-sign-in.json": ('{"gate": "PASS"}', {"gate"}),
    "docs/sprint-status.yaml": (TRACKER, {"sprint_status"}),
    "out/pay/tickets.toml": (TICKETS, {"tickets"}),
    "specs/spec-pay/stories.yaml": (STORIES_YAML, {"tickets"}),
    "specs/spec-pay/SPEC.md": ("# SPEC: Pay\n", {"spec"}),
    # No story by itself, but a key of sprint-status.yaml may name it.
    "docs/1-2-sign-out.md": ("# Sign out\n", {"candidate", "candidate_kind"}),
    "docs/spec-1-3-pay.md": ("# Pay\n\nStatus: done\n", {"candidate", "candidate_kind"}),
    "docs/pm-04.md": ("# Sign out\n", {"candidate", "candidate_kind"}),
    "docs/1-2-architecture.md": (
        "# Architecture Decision Document\n",
        {"candidate", "candidate_kind"},
    ),
    "docs/sprint-artifacts/1-2-qa-gate.md": (
        "# Gate\n\nGate: PASS\n",
        {"candidate", "candidate_kind", "gate"},
    ),
    "docs/sprint-artifacts/1-3-cards.md": (
        "# Epic 1: Cards\n",
        {"candidate", "candidate_kind", "epics"},
    ),
    # In folders for documents of their kinds.
    "docs/architecture/1-2-architecture.md": ("# Tech stack\n", set()),
    "docs/prd/1-goals.md": ("# Goals\n", set()),
    "docs/epics/1-cards.md": ("# Epic 1: Cards\n", {"epics"}),
    "docs/broken.md": (BROKEN, {"notes"}),
    "docs/links.md": ("[a](b.md)\n", {"links"}),
    # Nothing of the work.
    "docs/notes.md": ("# Notes\n\nStatus: done\n", set()),
    "docs/1.1.sign-in.txt": (STORY, set()),
    "docs/package.json": ('{"status": "done"}', set()),
    "docs/other.yaml": (TRACKER, set()),
    "docs/empty.md": ("", set()),
}
TYPES = {"md": "md", "txt": "txt", "json": "json", "toml": "toml", "yaml": "yaml", "yml": "yaml"}


def read(text: str, path: str) -> Mapping[str, Any]:
    suffix = path.rpartition(".")[2]
    return read_document(bmad_document(text, path, TYPES.get(suffix, "md")))


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_reading_has_what_the_document_says(path: str) -> None:
    text, keys = DOCUMENTS[path]
    assert read(text, path).keys() == keys


def test_all_keys_are_read_somewhere() -> None:
    everything = set[str]().union(*(keys for _, keys in DOCUMENTS.values()))
    assert everything == Reading.__optional_keys__


@pytest.mark.parametrize("folder", ["_bmad", ".bmad-core", "bmad", "bmad-core", "node_modules/a"])
@pytest.mark.parametrize("path", DOCUMENTS)
def test_the_methods_tools_say_nothing_of_the_work(folder: str, path: str) -> None:
    assert read(DOCUMENTS[path][0], f"{folder}/{path}") == {}


def test_output_of_the_method_is_read() -> None:
    for folder in ("_bmad-output", "apps/web"):
        for path, (text, keys) in DOCUMENTS.items():
            assert read(text, f"{folder}/{path}").keys() == keys


@pytest.mark.parametrize(
    ("path", "is_candidate"),
    [
        ("docs/sprint/1-2-pay-by-card.md", True),
        ("docs/sprint/epic-120-s01-pay.md", True),
        ("docs/sprint/epic-1.md", False),
        ("docs/sprint/ap-12.md", True),
        ("docs/notes/note-1.md", False),
        ("docs/notes/doc0001.md", False),
        ("docs/sprint/epic-1-retrospective.md", False),
        ("docs/sprint/pay-by-card.md", False),
        # Only in a folder of stories may any name be that of a key.
        ("docs/stories/pay-by-card.md", True),
        ("docs/stories/auth-01.md", True),
        ("docs/stories/done/core-12.md", True),
        ("docs/stories/ux-polish.md", True),
        ("_bmad-output/implementation-artifacts/setup-ci.md", True),
        ("docs/auth-01.md", False),
        ("docs/auth/core-12.md", False),
        ("docs/stories/reviews/auth-01.md", False),
        ("docs/stories/qa/pay-by-card.md", False),
        ("docs/stories/README.md", False),
        ("docs/stories/epic-1.md", False),
        ("docs/stories/epic-1-retrospective.md", False),
        ("docs/specs/prd.md", False),
        ("docs/specs/architecture.md", False),
        ("_bmad/stories/auth-01.md", False),
    ],
)
def test_a_document_with_the_name_of_a_storys_key_is_a_candidate(
    path: str, is_candidate: bool
) -> None:
    assert ("candidate" in read("# Some words\n\nText.\n", path)) == is_candidate


@pytest.mark.parametrize("folder", ["reviews", "qa", "plans", "research", "testing", "retros"])
def test_a_review_with_the_name_of_a_key_is_a_candidate_only_with_a_storys_sections(
    folder: str,
) -> None:
    path = f"docs/{folder}/1-3-pay.md"
    assert "candidate" not in read("# Review of Pay\n\nAll is fine.\n", path)
    assert "candidate" not in read("# Review of Pay\n\nStatus: done\n", path)
    assert "candidate" in read("# Pay\n\nStatus: done\n\n## Tasks\n\n- [x] A\n", path)


def test_a_candidate_is_read_as_a_story_is() -> None:
    candidate = read("# Story 1.3: Pay\n\nStatus: done\n", "docs/spec-1-3-pay.md")["candidate"]
    assert (candidate["id"], candidate["title"]) == ("1.3", "Pay")
    assert candidate["statuses"][0]["status"] == "done"


def test_a_story_has_the_gate_of_its_own_review() -> None:
    review = "# Architecture of the shop\n\n## QA Results\n\nGate: PASS\n"
    assert read(review, "docs/1-2-architecture.md")["candidate"]["gate"]["decision"] == "PASS"
    assert "gate" not in read(STORY, "docs/stories/1.1.md")["story"]
    story = read(f"{STORY}\n## QA Results\n\nGate: PASS\n", "docs/stories/1.1.md")["story"]
    assert (story["gate"]["decision"], story["gate"]["line"]) == ("PASS", 15)


def test_front_matter_that_cannot_be_read_is_noted() -> None:
    [note] = read(BROKEN, "docs/broken.md")["notes"]
    assert note.startswith("The front matter cannot be read whole: line ")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/epics/epic-1.md", "# Epic 1: Sign in\n"),
        ("specs/spec-pay/SPEC.md", "# SPEC: Pay\n"),
        ("shop/story-pay-plan.md", "# Plan\n"),
    ],
)
@pytest.mark.parametrize(("value", "kind"), [("[done]", "list"), ("{a: done}", "mapping")])
def test_status_in_front_matter_that_is_no_text_is_noted(
    path: str, text: str, value: str, kind: str
) -> None:
    reading = read(f"---\nticket: 1\nstatus: {value}\n---\n\n{text}", path)
    assert reading["notes"] == [
        f"Line 3 cannot be read: the status of the front matter is a {kind}."
    ]
    assert "'word'" not in repr(reading)  # of a status


def test_broken_front_matter_of_a_plan_is_noted() -> None:
    reading = read("---\nticket: 1\nstatus: [done\n---\n\n# Plan\n", "shop/story-pay-plan.md")
    assert reading["plan"]["statuses"] == []
    [note] = reading["notes"]
    assert note.startswith("The front matter cannot be read whole: line ")


_TEXTS = [text for text, _ in DOCUMENTS.values() if text] + [V4_STORY]
_PIECES = st.sampled_from(
    [
        *(line for text in _TEXTS for line in text.splitlines(keepends=True)),
        *"\n\t #:'\"-{}[]|*~&!><`\\()=,.",
        *("\0", "\ud800", "\u2028", "\x85", "&#0;", "\\u0000", '"\\ud800"', "%00", "é" * 400),
        *("[a](b.md#c)", "<a href='x'>", "(AC: 1)", "→", "FR1-FR99", "x" * 500, "9" * 400),
    ]
)
# Paths as a sync stores them, without what PostgreSQL cannot store.
_PATHS = st.sampled_from([*DOCUMENTS]) | st.builds(
    str.__add__,
    st.text(max_size=300).map(replace_unstorable),
    st.sampled_from([".md", ".yaml", ".toml", "/1.1.a.md"]),
)
# How long texts may be, by the names of their keys; others have MAX_TEXT characters at most. A gate
# may name its story by a slug, and a retrospective its epic. A path is as long as that of the
# document and a target together.
_LIMITS = {
    **dict.fromkeys(("id", "word", "number", "requirement"), MAX_ID),
    **dict.fromkeys(("key", "slug", "after", "ticket", "story", "epic"), MAX_KEY),
    "path": 10_000,
    "fragment": 10_000,
}


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield all texts of a reading, each with the name of the key that it belongs to."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        values = cast("dict[str, Any]", value)
        assert len(values) <= MAX_ITEMS
        for key, each in values.items():
            yield "the name of a value", key
            yield from _texts(each, key)
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        assert len(items) <= MAX_ITEMS
        for each in items:
            yield from _texts(each, name)


def check(text: str, path: str) -> None:
    reading = read(text, path)
    anchors = {heading.anchor for heading in bmad_document(text, path).headings}
    assert json.loads(json.dumps(reading, allow_nan=False)) == reading
    for name, each in _texts(reading):
        assert not UNSTORABLE.search(each), (name, each)
        if name == "anchor":  # cut, it would lead nowhere
            assert each in anchors
        else:
            assert len(each) <= _LIMITS.get(name, MAX_TEXT), (name, len(each))


@settings(deadline=None)
@given(st.text() | st.lists(_PIECES, max_size=60).map("".join), _PATHS)
def test_any_text_at_any_path_is_read_within_limits(text: str, path: str) -> None:
    check(text, path)


@settings(deadline=None)
@given(st.data(), st.sampled_from([*DOCUMENTS]))
def test_any_changed_document_is_read_within_limits(data: st.DataObject, path: str) -> None:
    text, _ = DOCUMENTS[path]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    check(text[:start] + data.draw(st.lists(_PIECES).map("".join)) + text[end:], path)
