"""GitHub's alerts: quotes that begin with a line such as `[!NOTE]`."""

import re
from typing import Final

from service.documents.html_tags import POSITION

_KINDS: Final = "NOTE|TIP|IMPORTANT|WARNING|CAUTION"
# The beginning of a quote, as cmark-gfm writes it. Without anything after the line it is a quote.
_ALERT: Final = re.compile(
    rf"<blockquote{POSITION}>\n<p{POSITION}>\[!((?i:{_KINDS}))\][ \t]*+"
    rf"(?:(?P<text>(?:<br />)?\n)|</p>\n(?!</blockquote>))"
)

CLASSES: Final = frozenset(
    (
        "markdown-alert",
        "markdown-alert-title",
        *(f"markdown-alert-{kind.lower()}" for kind in _KINDS.split("|")),
    )
)


class Alert:
    """An alert's beginning: its HTML up to its text, and where in the page that text begins."""

    def __init__(self, match: re.Match[str]) -> None:
        kind = match[1].lower()
        self.opening = (
            f'<div class="markdown-alert markdown-alert-{kind}">\n'
            f'<p class="markdown-alert-title">{kind.capitalize()}</p>\n'
        )
        self.is_in_paragraph = match["text"] is not None
        self.end = match.end()


def find_alert(page: str, start: int) -> Alert | None:
    """Return the alert that begins where a quote's tag does in a page of the parser's, if any."""
    match = _ALERT.match(page, start)
    return Alert(match) if match else None
