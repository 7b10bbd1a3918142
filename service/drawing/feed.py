"""An Atom feed (RFC 4287), as `application/atom+xml`."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote
from uuid import UUID, uuid5

from service.drawing.escaping import clean, clean_line, escape

MAX_ENTRIES: Final = 200
MAX_TITLE: Final = 300  # characters, as of the next three
MAX_SUMMARY: Final = 500
MAX_CONTENT: Final = 4_000
MAX_LINK: Final = 2_000

# urn:uuid (RFC 9562, 4), and tag URIs (RFC 4151, 2.1): an authority, a date, and what it names.
_ID: Final = re.compile(
    r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|tag:[A-Za-z0-9.@_-]+,[0-9]{4}(?:-[0-9]{2}){0,2}:[A-Za-z0-9._~!$&'()*+,;=:@/?%-]+"
)
_WEB: Final = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_UNRESERVED_AND_RESERVED: Final = "!#$%&'()*+,/:;=?@[]~"  # RFC 3986, 2.2 and 2.3


class FeedEntry(NamedTuple):
    """An entry: `id` as entry_id makes it, `updated` with a time zone, `content` as plain text.

    `link` is a URL of http or https of at most MAX_LINK characters; another one is left out.
    """

    id: str
    title: str
    updated: datetime
    link: str | None
    summary: str
    content: str


def entry_id(feed: UUID, *names: str) -> str:
    """Return the URN of what these names mean in a feed: the same each time that it is written."""
    return uuid5(feed, json.dumps(names)).urn


def write_feed(
    feed_id: str,
    title: str,
    self_url: str,
    updated: datetime,
    entries: Sequence[FeedEntry],
    *,
    author: str,
) -> str:
    """Return the feed with its first MAX_ENTRIES entries, each text cleaned, cut and escaped.

    `self_url` is the feed's own address. The author is that of all entries, since RFC 4287 (4.1.1)
    requires one. Raise ValueError for an id that is neither a urn:uuid nor a tag URI, for a feed's
    own address that is not on the web, and for a time without a zone: the caller makes these.
    """
    own = _web_address(self_url)
    if own is None:
        raise ValueError(f"not an address of http or https: {self_url!r}")
    return "".join(
        [
            '<?xml version="1.0" encoding="utf-8"?>\n',
            '<feed xmlns="http://www.w3.org/2005/Atom">\n',
            *_write_head(feed_id, title, updated),
            f"<author><name>{_line(author)}</name></author>\n",
            f'<link rel="self" type="application/atom+xml" href="{escape(own)}"/>\n',
            *(part for entry in entries[:MAX_ENTRIES] for part in _write_entry(entry)),
            "</feed>\n",
        ]
    )


def _write_entry(entry: FeedEntry) -> list[str]:
    link = None if entry.link is None else _web_address(entry.link)
    return [
        "<entry>\n",
        *_write_head(entry.id, entry.title, entry.updated),
        "" if link is None else f'<link rel="alternate" href="{escape(link)}"/>\n',
        f'<summary type="text">{escape(clean_line(entry.summary, MAX_SUMMARY))}</summary>\n',
        f'<content type="text">{_text(entry.content)}</content>\n',
        "</entry>\n",
    ]


def _write_head(id_: str, title: str, updated: datetime) -> list[str]:
    """Return what a feed and an entry both have to begin with."""
    if not _ID.fullmatch(id_):
        raise ValueError(f"neither a urn:uuid nor a tag URI: {id_!r}")
    return [
        f"<id>{escape(id_)}</id>\n",
        f'<title type="text">{_line(title)}</title>\n',
        f"<updated>{_write_time(updated)}</updated>\n",
    ]


def _write_time(time: datetime) -> str:
    """Return the time as RFC 3339 wants it, in UTC, to the second."""
    if time.tzinfo is None:
        raise ValueError(f"a time without a zone: {time}")
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _web_address(url: str) -> str | None:
    """Return the URL with each character encoded that a URI cannot have; None for another link."""
    if len(url) > MAX_LINK or not _WEB.match(url):
        return None
    return quote(clean(url), safe=_UNRESERVED_AND_RESERVED)


def _line(text: str) -> str:
    # An empty title is allowed, but readers of feeds show nothing to click on.
    return escape(clean_line(text, MAX_TITLE)) or "Untitled"


def _text(text: str) -> str:
    cut = clean(text[:MAX_CONTENT])
    return escape(cut if len(text) <= MAX_CONTENT else cut[: MAX_CONTENT - 1] + "…")
