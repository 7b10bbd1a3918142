"""Documents that are about stories and are none: by what they are called and headed."""

import re
from typing import Final

MAX_READ: Final = 300  # characters of a name or a heading

# Documents about stories are called, and headed, "Story" and words of both kinds, with one of
# these at least: "Story Writing Guide", "story-map".
ABOUT_STORIES: Final = re.compile(
    r"index|map(?:ping)?|list|backlog|overview|guide(?:line)?s?|points|status|dependencies|telling"
    r"|track(?:er|ing)|lifecycle|workflow|process|definition|dod|dor|checklist|template|writer"
    r"|author|prompt|command|estimation|standards|conventions|matrix|context"
)
BESIDE_ABOUT: Final = re.compile(
    r"an?|agent|all|and|creation|dependency|done|draft|for|format|how|of|our|ready|report|review"
    r"|notes|summary|the|to|user|writing"
)
# What is written about one story: "Story 1.1 Context", "Story 1.1: Completion Report" and "Review
# of Story 1.1". One word after a colon may be a title: "Story 1.1: Validation".
_REPORT = (
    r"(?:completion|validation|test|review|qa|implementation)\s(?:reports?|summary|notes|plan"
    r"|results?|log|findings|cases|design|reviews?)|code\sreview|dev(?:elopment)?\slog"
    r"|retrospective|handoff\snotes"
)
_ABOUT = (
    r"tasks?|context|completion|verification|validation|reviews?|tests?|testing|qa|audit|analysis"
    r"|plan|log|evidence|results|progress|status|report|summary|notes|checklist|implementation"
)
_ONE = (
    r"(?:user\s)?story[\s#:-]{0,3}+(?:[a-z]{1,6}-?)?\d{1,9}[a-z]?(?:[.-]\d{1,9}[a-z]?){0,3}"
    r"(?![\w.])"
)
ABOUT_ONE: Final = re.compile(
    rf"\W*+(?:{_ONE}(?:\s++(?:{_ABOUT})|\s*+[:\uff1a\u2014\u2013-]?\s*+(?:{_REPORT}))[\W\d]*+\Z"
    rf"|(?:{_REPORT}|{_ABOUT})(?:\s(?:of|for)\s(?:the\s)?|\s*+[:\uff1a\u2014\u2013-]\s*+){_ONE}"
    r"|story\scontext[:\s]\s*+\d)",
    re.IGNORECASE,
)
SEVERAL: Final = re.compile(r"\W*+(?:user\s)?stories\s++(?:[a-z]{1,6}-?)?\d", re.IGNORECASE)
NOT_IN_WORD: Final = re.compile(r"[\W_]+")


def is_about_stories(text: str) -> bool:
    """Return whether a name or a heading is that of a document about stories, as "Story Map" is.

    Each of its words is such a word: "Story Map View" is a title. So is "Story: Map".
    """
    text = text[:MAX_READ]
    words = [*filter(None, NOT_IN_WORD.split(text.lower()))]
    if words[:1] == ["user"]:
        del words[0]
    return (
        words[:1] == ["story"]
        and ":" not in text
        and any(map(ABOUT_STORIES.fullmatch, words))
        and all(ABOUT_STORIES.fullmatch(each) or BESIDE_ABOUT.fullmatch(each) for each in words[1:])
    )


def is_of_several(heading: str) -> bool:
    """Return whether a heading is of several stories: "Stories 1.1 to 1.5"."""
    return bool(SEVERAL.match(heading[:MAX_READ]))


def is_about_story(heading: str) -> bool:
    """Return whether a heading is that of a document about one story: "Review of Story 1.1"."""
    return bool(ABOUT_ONE.match(heading[:MAX_READ]))
