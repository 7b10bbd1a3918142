"""The relative links of a Markdown document, and which of them are dead.

Links are read from the HTML that GitHub's parser renders: code has none, and reference links are
links. They lead where GitHub leads them:
https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#relative-links
"""

import html
import posixpath
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Container, Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Final, Literal
from urllib.parse import unquote

from service.bmad.document import LINE_END, BmadDocument
from service.bmad.link_definitions import LinkDefinitions
from service.bmad.readings import MAX_ITEMS, MAX_TEXT, Link
from service.characters import CONTROL, replace_unstorable
from service.documents.html_tags import (
    find_tags,
    markup_between,
    read_attributes,
    without_templates,
)
from service.documents.kinds import TOOLS

DeadLink = Literal["no_file", "no_anchor", "outside"]

MAX_TARGET: Final = 4_000  # characters; PATH_MAX of Linux is 4,096 bytes
# Characters of the source in which a target is looked for, so that no text takes quadratic time.
SEARCHED: Final = 5_000

# In a source without these all links of its page are those that the parser writes.
_RAW_LINK: Final = re.compile(r"<(?:[aA]|[iI][mM][gG])[\s/]")
_PARSED_LINK: Final = re.compile(
    r"<(?:a href|img src)=\"(?!https?:)([^\"]*+)\"(?![^<>]* data-footnote-)"
)
_TARGETS: Final = {"a": "href", "img": "src"}
_MARKUP: Final = markup_between(
    r"</?(?!(?:a|img)[ />])[a-z][a-z0-9]*+(?> data-sourcepos=\"[0-9:-]++\")?+(?> /)?+>"
    r"|</a>|<a href=\"https?:[^\"<>]*+\">"
)
_POSITION: Final = re.compile(r' data-sourcepos="(\d{1,9}):\d+-(\d{1,9}):\d+"[^>]*+>\n?')
_END_OF_BLOCK: Final = re.compile("</(?:p|h[1-6]|li|t[dh]|pre)>")

_ABSOLUTE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*+:|[/\\][/\\]")
# "file.py:22" and "Dockerfile:22" have no scheme, unlike "tel:22" and "localhost:22".
_LINE_SUFFIX: Final = re.compile(
    r"(?:[^:/?#.]*+\.[^:/?#]*+|[a-zA-Z]+file|BUILD|CHANGELOG|CODEOWNERS|CONTRIBUTING|COPYING|LICENSE"
    r"|NOTICE|README|VERSION|WORKSPACE):\d+(?>[-:]\d+)*+(?:#|\Z)"
)
# A page of the repository on GitHub, as seen from blob/BRANCH.
_GITHUB_PAGE: Final = re.compile(
    r"\.\./\.\./(?:actions|branches|commits?|compare|discussions|forks|graphs|issues|labels"
    r"|milestones?|network|packages|projects|pulls?|pulse|releases|security|settings|stargazers"
    r"|tags|wiki)(?:/.*)?"
)
_LINES: Final = re.compile(r"L\d+(?:C\d+)?(?:-L?\d+(?:C\d+)?)?", re.IGNORECASE)
_MARKDOWN: Final = (".md", ".markdown")


def read_links(document: BmadDocument) -> list[Link]:
    """Return the relative links and images of Markdown in order, at most MAX_ITEMS.

    Left out are links in folders of the method's own tools, those of more than MAX_TARGET
    characters, and those to GitHub's pages of the repository, such as `../../issues`.
    """
    if any(map(_is_of_tools_alone, document.folders)):
        return []
    links: list[Link] = []
    for target, line in _read_targets(document):
        before, has_fragment, fragment = target.partition("#")
        path = _resolve(before.partition("?")[0], document.path)
        if _GITHUB_PAGE.fullmatch(path):
            continue
        link: Link = {
            "target": target[:MAX_TEXT],
            "line": line,
            "path": None if path == ".." or path.startswith("../") else path,
            "fragment": _decode(fragment) if has_fragment else None,
        }
        links.append(link)
        if len(links) == MAX_ITEMS:
            break
    return links


def find_dead_link(
    link: Link, paths: Container[str], anchors: Callable[[str], Collection[str] | None]
) -> DeadLink | None:
    """Return why a link is dead, or None if it leads somewhere.

    `paths` has all files and folders of the repository; `anchors` returns those of a Markdown
    document, or None where they are not known. As on GitHub, `#top` and a file's lines, `#L3`, lead
    somewhere, and a fragment may have capitals where the anchor has none.
    """
    path, fragment = link["path"], link["fragment"]
    if path is None:
        return "outside"
    if path and path not in paths:
        return "no_file"
    if not fragment or not path.lower().endswith(_MARKDOWN) or _LINES.fullmatch(fragment):
        return None
    known = anchors(path)
    if known is None or fragment in known:
        return None
    # GitHub puts this prefix before all ids of a page.
    folded = fragment.lower().removeprefix("user-content-")
    return None if folded in known or folded == "top" else "no_anchor"


def _read_targets(document: BmadDocument) -> Iterator[tuple[str, int]]:
    """Yield the targets of relative links, as the source has them, and their lines."""
    page = document.html
    has_raw_links = _RAW_LINK.search(document.text) is not None
    if has_raw_links:
        page = without_templates(page)
    locator: _Locator | None = None
    for target, start, end in _raw_targets(page) if has_raw_links else _parsed_targets(page):
        if target and len(target) <= MAX_TARGET and not _is_absolute(target):
            locator = locator or _Locator(document, page)
            yield locator.find(target, start, end)


def _parsed_targets(page: str) -> Iterator[tuple[str, int, int]]:
    """Yield the targets in a page without raw HTML's links, and where their tags are."""
    for link in _PARSED_LINK.finditer(page):
        yield html.unescape(link[1]).strip(), link.start(), link.end()


def _raw_targets(page: str) -> Iterator[tuple[str, int, int]]:
    """Yield the targets in any page, and where their tags are."""
    for tag in find_tags(page, _MARKUP):
        attribute = _TARGETS.get(tag.name)
        if attribute and not tag.is_end and " data-footnote-" not in tag.attributes:
            yield read_attributes(tag).get(attribute, "").strip(), tag.start, tag.end


class _Locator:
    """Finds the targets of a page in the source of the document, in order."""

    def __init__(self, document: BmadDocument, page: str) -> None:
        self._page = page
        self._source = document.text
        self._line_starts = _line_starts(document.text)
        self._definitions = LinkDefinitions(document.text)
        self._offset = document.html_line - 1
        self._line = document.html_line  # of the last block or target
        self._end_line: int | None = None  # of the block that is open
        self._read = 0  # in the page
        self._searched = 0  # in the source

    def find(self, target: str, begin: int, finish: int) -> tuple[str, int]:
        """Return a target as the source has it, and its line: of a reference its definition's."""
        self._read_blocks(begin)
        start = max(self._searched, self._start_of(self._line))
        if self._end_line is not None:
            end = min(start + SEARCHED, self._start_of(self._end_line + 1))
        else:  # raw HTML is in the source as it is
            written = LINE_END.split(self._page[begin:finish], maxsplit=1)[0]
            start = max(start, self._source.find(written, start))
            end = start + SEARCHED
        forms = [*dict.fromkeys((target, unquote(target)))]
        defined = self._definitions.find(target, start, end)
        if defined is not None:
            form = next((form for form in forms if self._source.startswith(form, defined)), target)
            return _stored(form), bisect_right(self._line_starts, defined)
        for form in forms:
            found = self._source.find(form, start, end)
            if found != -1:
                self._searched = found + len(form)
                self._line = bisect_right(self._line_starts, found)
                return _stored(form), self._line
        return _stored(target), self._line

    def _read_blocks(self, end: int) -> None:
        """Read what block the page has at a place, and on which line that is."""
        start = self._read
        self._read = end
        block = self._page.rfind(" data-sourcepos=", start, end)
        if block != -1 and (position := _POSITION.match(self._page, block, end)):
            self._line = max(self._line, int(position[1]) + self._offset)
            self._end_line = int(position[2]) + self._offset
            if self._end_line < self._line:  # a paragraph without a place
                self._end_line = len(self._line_starts)
            start = position.end()
        if self._end_line is not None:
            if _END_OF_BLOCK.search(self._page, start, end):
                self._line = max(self._line, self._end_line)
                self._end_line = None
            else:  # the page has the line ends of its text, but not those inside code
                ends = self._page.count("\n", start, end)
                self._line = max(self._line, min(self._line + ends, self._end_line))

    def _start_of(self, line: int) -> int:
        """Return where a line starts in the source, or the source's end."""
        return self._line_starts[line - 1] if line <= len(self._line_starts) else len(self._source)


def _line_starts(text: str) -> list[int]:
    """Return where the lines of a text start."""
    if "\r" in text:
        return [0, *(end.end() for end in LINE_END.finditer(text))]
    return [0, *accumulate(len(line) + 1 for line in text.split("\n")[:-1])]  # in half the time


def _is_absolute(target: str) -> bool:
    return bool(_ABSOLUTE.match(target)) and not _LINE_SUFFIX.match(target)


def _resolve(target: str, document_path: str) -> str:
    """Return the path from the repository's root, "" for the root; "../x" leaves the repository."""
    if not target:
        return document_path
    path = _decode(target)
    if path.startswith("/"):
        path = path.lstrip("/")
    else:
        path = f"{posixpath.dirname(document_path)}/{path}".lstrip("/")
    normal = posixpath.normpath(path)
    return "" if normal == "." else normal


def _decode(text: str) -> str:
    return _stored(unquote(text) if "%" in text else text)


def _stored(text: str) -> str:
    return CONTROL.sub("\ufffd", replace_unstorable(text))


# Most of a repository's documents are in a few folders.
@lru_cache(maxsize=1024)
def _is_of_tools_alone(folder: str) -> bool:
    """Return whether a folder is of the method's tools, and not one of templates.

    A folder of templates holds no work, but it may be the project's own, and its links be dead.
    """
    name = folder.lower()
    return bool(TOOLS.fullmatch(name)) and not name.startswith("template")
