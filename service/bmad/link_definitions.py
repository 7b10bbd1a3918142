"""Where a Markdown source defines its reference links: "[the plan]: plan.md".

https://spec.commonmark.org/0.31.2/#link-reference-definitions
"""

import html
import re
from typing import Final
from urllib.parse import unquote

# A definition, which may be in a quote, an item of a list, or followed by its target on the next
# line; and the beginning and the end of a block of code.
_DEFINITION: Final = re.compile(
    r"^[ \t>]*+(?:(?P<fence>`{3,}+|~{3,}+)"
    r"|(?>(?:[-*+]|\d{1,9}[.)])[ \t>]++)*+\[(?!\^)(?P<label>(?>[^\[\]\\\n]|\\.){1,200}+)\]:"
    r"[ \t]*+(?:\r?\n[ \t>]*+)?(?:<(?P<quoted>[^<>\n\r]++)>|(?P<plain>[^\s<]\S*+)))",
    re.MULTILINE,
)
_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
# Before the target of a link that is no reference: of Markdown, or an attribute of raw HTML.
_BEFORE_TARGET: Final = re.compile(r"(?:\]\(\s{0,20}<?|=\s{0,20}[\"']?\s{0,20})\Z")
LOOKED_BACK: Final = 50  # characters
MAX_TRIES: Final = 50  # of places where a target stands in a text
# Definitions of one target among which the label of a link is looked for.
MAX_LABELS: Final = 20


class LinkDefinitions:
    """The definitions of reference links in a source, by their targets."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._by_target: dict[str, list[tuple[str, int]]] = {}
        # Of a source without this sign nothing is searched.
        if "]:" in source:
            self._read()

    def find(self, target: str, start: int, end: int) -> int | None:
        """Return where a target of a link between two places is defined; None if it is not.

        `target` is as the page has it. Of several definitions the one counts whose label is there.
        A target that the link has itself, as `[a](plan.md)` does, is not defined.
        """
        found = self._by_target.get(target) or self._by_target.get(unquote(target))
        if not found or self._is_inline(target, start, end):
            return None
        if len(found) > 1:
            text = self._source[start:end].lower()
            named = (place for label, place in found if f"[{label.lower()}]" in text)
            return next(named, found[0][1])
        return found[0][1]

    def _is_inline(self, target: str, start: int, end: int) -> bool:
        for form in dict.fromkeys((target, unquote(target))):
            found = start
            for _ in range(MAX_TRIES):
                found = self._source.find(form, found, end)
                if found == -1:
                    break
                if _BEFORE_TARGET.search(self._source, max(start, found - LOOKED_BACK), found):
                    return True
                found += len(form)
        return False

    def _read(self) -> None:
        fence = ""
        for found in _DEFINITION.finditer(self._source):
            if mark := found["fence"]:
                if not fence:
                    fence = mark
                elif mark.startswith(fence):
                    fence = ""
            elif not fence:
                name = "quoted" if found["quoted"] else "plain"
                written = _ESCAPE.sub(r"\1", html.unescape(found[name]))
                of_target = self._by_target.setdefault(written, [])
                if len(of_target) < MAX_LABELS:
                    of_target.append((found["label"], found.start(name)))
