"""Status words: what a word that a document has for a status means."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from service.bmad.readings import MAX_ID, Place, Status, StatusWord
from service.characters import one_line, replace_unstorable

MAX_WORD: Final = 300  # characters that are read of a word
LABEL: Final = r"(?:status|statut|estado|状态|狀態|상태)"  # says "status"
# "Gate Status", "Recommended Status" and all others with a word of their own are about others.
STATUS_LABEL: Final = re.compile(rf"(?:(?:story|current|overall)\s+)?{LABEL}", re.IGNORECASE)

# "Status - Done", a line of its own.
DASHED: Final = re.compile(
    rf"[\s*+_-]*+{STATUS_LABEL.pattern}[*_]{{0,3}}+[ \t]++[\u2013\u2014-][ \t]++(\S.*)",
    re.IGNORECASE,
)
DASH: Final = re.compile("[ \t][\u2013\u2014-][ \t]")
MAX_DASHED: Final = 100  # characters of such a line

# The words that were found in 27 public repositories, and those of the method's own templates. A
# word that is not here is unknown: a similar word may mean something else.
_WORDS: Final[Mapping[Status, str]] = {
    "done": "done|completed|complete|closed|terminé|terminée|complétée|implemented + tested|완료",
    "approved": "ready for dev|ready for development|ready|approved|approuvée"
    "|prêt pour développement|validé|contexted",
    "review": "review|in review|built|ready for review|implemented|ready for done"
    "|implementation complete|dev complete|review passed|ready for production|ready for testing",
    "draft": "draft|drafted|backlog|planned|to do|todo|planning|deferred|à planifier",
    "in_progress": "in progress|inprogress|in development|partially complete|changes requested",
    "blocked": "blocked",
    "cancelled": "annulée|superseded|deprecated|skipped|cancelled|dropped",
}
WORDS: Final[Mapping[str, Status]] = {
    word: status for status, words in _WORDS.items() for word in words.split("|")
}
# Longest first. A word ends where no letter and no digit follows.
WORD: Final = re.compile(
    f"(?:{'|'.join(map(re.escape, sorted(WORDS, key=len, reverse=True)))})(?![^\\W_])"
)

STRUCK: Final = re.compile(r"~~[^~]*+~~|<!--.*?-->", re.DOTALL)
# Tags, the target of a link, and emoji that are written as ":tada:".
MARKUP: Final = re.compile(r"<[^<>]*+>|(?<=\])\([^()]*+\)|(?<![^\s*_]):[a-z0-9_+-]{1,40}+:")
EMPHASIS: Final = re.compile(r"[*`]++|(?<![^\W_])_++|_++(?![^\W_])")
BULLET: Final = re.compile(r"\s*+(?:(?:[-*+•]|\d{1,3}[.)])\s++)?(?:\[[xX]\]\s*+)?")
OPEN_BOX: Final = re.compile(r"\[[ \t]*+\]")
IN_BRACKETS: Final = re.compile(r"[(\uff08][^()\uff08\uff09]*+[)\uff09]")
# Arrows to the right: of Unicode's arrows, dingbats and mathematical signs, and of hyphens.
ARROW: Final = re.compile(r"[→↝↠↣↦⇉⇒⇛⇝⇢⇨⇾➔\u2798-\u27af\u27b1-\u27be⟶⟹⟼⟾⟿⤳⭢⮕🠊🠖🠚🡆🡒🡢🡪🡲]|[-=~]++>")
# Signs that are arrows only between known words: "draft > done", unlike "done > 80 %".
CHEVRON: Final = re.compile(r"\s[>\u203a»]\s|>>|»")
MAX_STEPS: Final = 3  # words between chevrons; more are a legend of all that there are
SUM: Final = re.compile(r"\s*+[+&]\s*+")  # between the words of "implemented + tested"
HEAD_END: Final = re.compile(r"[(\uff08\u2014|]|\s[-\u2013]\s")
LETTER: Final = re.compile(r"[^\W_]")
NO_LETTERS: Final = re.compile(r"[\W_]*+")
AROUND_WORD: Final = re.compile(r"\A[\W_]++|(?<![\W_])[\W_]++\Z")
BETWEEN_WORDS: Final = re.compile(r"[\s_-]++")
OBSOLETE: Final = re.compile(r"done[^\w(\uff08]*+[(\uff08]\W*+obsolete(?![^\W_])")


def read_status(word: str) -> Status:
    """Return what a word for a status means; "unknown" for a word that is not in WORDS.

    Markup, emoji, bullets and ticked boxes count for nothing; `_`, `-`, spaces and case are equal.
    Of `draft → done` the last one counts, of `done (see QA)` and `done — merged` the head. The word
    may go on: "done, merged" is done. What is "done (obsolete …)" was not done: it is cancelled.
    Arrows are those of ARROW, and a chevron or two between known words and nothing else: "blocked >
    done soon" is blocked, and a row of four or more words is a legend, of which the first counts.
    """
    known = _known_word(word)
    return WORDS[known] if known else "unknown"


def is_built(word: str) -> bool:
    """Return whether a word for a status says "built": finished, but nobody has called it done."""
    return _known_word(word) == "built"


def is_status_alone(word: str) -> bool:
    """Return whether a text is a known word for a status, besides markup, signs and brackets."""
    return _is_whole_word(IN_BRACKETS.sub(" ", _fold(word)))


def status_after_dash(line: str) -> str | None:
    """Return the status of a line such as "Status - Done"; None where it may be a sentence.

    The word must be known, and nothing may be after it but signs and brackets.
    """
    may_be = len(line) <= MAX_DASHED and DASH.search(line) is not None
    found = DASHED.fullmatch(line) if may_be else None
    return found[1] if found and is_status_alone(found[1]) else None


def status_word(word: str, line: int, place: Place) -> StatusWord:
    """Return a status with its evidence. The word is cut to MAX_ID characters, without markup."""
    shown = replace_unstorable(word[:MAX_WORD])
    shown = EMPHASIS.sub("", MARKUP.sub("", STRUCK.sub("", shown)))
    return StatusWord(
        status=read_status(word), word=one_line(shown, MAX_ID), line=line, place=place
    )


def _known_word(word: str) -> str | None:
    """Return the key of WORDS that a word for a status begins with; None without one."""
    return _find_word(word[:MAX_WORD])


# A repository has few words, each of them many times.
@lru_cache(maxsize=256)
def _find_word(word: str) -> str | None:
    word = _fold(word)
    if OPEN_BOX.match(word):
        return None
    # A status that came before may be in brackets: "done (was draft → review)".
    pieces = ARROW.split(IN_BRACKETS.sub(_without_arrows, word))
    shown = next((each for each in reversed(pieces) if LETTER.search(each)), "")
    steps = [each for each in CHEVRON.split(shown) if LETTER.search(each)]
    if 1 < len(steps) <= MAX_STEPS and all(map(_is_known_word, steps)):
        shown = steps[-1]
    return _known_word_of_piece(shown)


def _is_known_word(step: str) -> bool:
    """Return whether a text is a known word and nothing else, but for signs and brackets."""
    return _is_whole_word(HEAD_END.split(step, 1)[0])


def _is_whole_word(text: str) -> bool:
    return BETWEEN_WORDS.sub(" ", AROUND_WORD.sub("", text)) in WORDS


def _known_word_of_piece(shown: str) -> str | None:
    begin = NO_LETTERS.match(shown)
    shown = shown[begin.end() :] if begin else shown
    if OBSOLETE.match(shown):
        return "cancelled"
    head = HEAD_END.split(shown, 1)[0]
    found = WORD.match(BETWEEN_WORDS.sub(" ", SUM.sub(" + ", head)))
    return found[0] if found else None


def _fold(word: str) -> str:
    word = STRUCK.sub(" ", word[:MAX_WORD])
    word = MARKUP.sub(" ", word).replace("*", "").replace("`", "")
    # An accent may be a character of its own.
    word = unicodedata.normalize("NFC", word).casefold().replace("\ufe0f", "")
    bullet = BULLET.match(word)
    return (word[bullet.end() :] if bullet else word).strip()


def _without_arrows(brackets: re.Match[str]) -> str:
    return CHEVRON.sub(" ", ARROW.sub(" ", brackets[0]))
