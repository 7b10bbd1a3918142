"""Where links and pictures of a document may lead."""

import re
from html import escape
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from service.rendering.elements import FOREIGN_REL

# What a browser removes from an address, and other control characters, which no address has.
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# RFC 3986, 3.1. A browser reads it so, whatever comes after it.
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_SCHEMES: Final = frozenset(("http", "https", "mailto"))
# A browser reads `\` as `/`.
_AUTHORITY: Final = re.compile(r"[/\\]{2}")
# GitHub gives its headings such ids, and removes the prefix from the addresses that it shows.
_GITHUB_ANCHOR: Final = re.compile("#user-content-")

MAX_ADDRESS: Final = 4_000  # characters

# A browser reads `\\` as `/`, and `%2e` as a dot.
_END_OF_PATH: Final = re.compile("[?#]")
_SLASH: Final = re.compile(r"[/\\]")
_DOT: Final = re.compile("%2e", re.IGNORECASE)
# The parameter of the page of a folder with where a link leads out of the repository.
OUTSIDE: Final = "outside"


def safe_address(address: str, depth: int) -> str | None:
    """Return where a link leads, or None if it may not lead there.

    Relative addresses stay as they are. Those of the repository's root begin with as many `../` as
    the document is in folders, `depth`. Those that climb out of the repository, from where another
    page of this service would be, lead to its root with OUTSIDE. Of schemes, only http, https and
    mailto are allowed.
    """
    address = _CONTROLS.sub("", address).strip()
    if len(address) > MAX_ADDRESS:
        return None
    if scheme := _SCHEME.match(address):
        return address if scheme[1].lower() in _SCHEMES else None
    if _AUTHORITY.match(address):  # of the page's own scheme
        return "https://" + address[2:].lstrip("/\\")
    address = _GITHUB_ANCHOR.sub("#", address, count=1)
    if address[:1] in {"/", "\\"}:
        outside = _find_outside(address[1:], 0)
        address = ("../" * depth or "./") + address[1:]
    else:
        outside = _find_outside(address, depth)
    return f"{'../' * depth or './'}?{OUTSIDE}={quote(outside)}" if outside else address


def _find_outside(address: str, depth: int) -> str:
    """Return where an address leads from the repository's root if out of it, else nothing.

    `depth` is the number of folders that it is resolved in.
    """
    if ".." not in address and "%" not in address:
        return ""
    above = 0
    parts: list[str] = []
    for part in _SLASH.split(_END_OF_PATH.split(address, maxsplit=1)[0]):
        dots = _DOT.sub(".", part)
        if dots != "..":
            parts += [part] if dots != "." else []
        elif parts:
            parts.pop()
        elif depth:
            depth -= 1
        else:
            above += 1
    return "../" * above + "/".join(parts) if above else ""


def link_attributes(address: str) -> str:
    """Return the attributes of a link to an address that safe_address allows."""
    is_foreign = address[:4].lower() == "http" and _SCHEME.match(address)
    rel = f' rel="{FOREIGN_REL}"' if is_foreign else ""
    return f' href="{escape(address)}"{rel}'


def picture(address: str | None, alternative: str, word: str = "picture") -> str:
    """Return what stands for a picture: a link to it, or only its text if there is no address."""
    text = " ".join(alternative.split()) or _file_name(address or "")
    shown = f"<small>{word}</small> {escape(text)}".rstrip()
    if address is None:
        return f'<span class="picture">{shown}</span>'
    return f'<a class="picture"{link_attributes(address)}>{shown}</a>'


def _file_name(address: str) -> str:
    try:
        path = urlsplit(address).path
    except ValueError:  # a host in brackets that is no IPv6 address
        return ""
    return unquote(path.rstrip("/").rpartition("/")[2])
