"""An Atom feed, held against what RFC 4287 requires."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.drawing.escaping import clean
from service.drawing.feed import FeedEntry, entry_id, write_feed

ATOM = "{http://www.w3.org/2005/Atom}"
FEED = UUID("0192f0c1-7a5e-7c3b-9d55-1f2e3d4c5b6a")
NOW = datetime(2026, 11, 27, 10, 30, 5, 250_000, tzinfo=UTC)
URL = "https://hub.example/api/projects/7/activity.atom"

any_text = st.text(st.characters(exclude_categories=[]), max_size=60)


def entry(**fields: object) -> FeedEntry:
    told: dict[str, object] = {
        "id": entry_id(FEED, "run 1", "docs/prd.md"),
        "title": "docs/prd.md changed",
        "updated": NOW,
        "link": "https://hub.example/documents/1",
        "summary": "Changed in 1a2b3c4",
        "content": "Status: draft → done\nby commit 1a2b3c4",
    }
    return FeedEntry(**(told | fields))  # pyright: ignore[reportArgumentType]


def feed(*entries: FeedEntry, title: str = "Payments", author: str = "BMADFlow") -> ET.Element:
    text = write_feed(FEED.urn, title, URL, NOW, entries, author=author)
    return check(ET.fromstring(text.encode()))


def check(root: ET.Element) -> ET.Element:
    """Check what RFC 4287 requires of a feed (4.1.1) and of entries (4.1.2); return the feed."""
    assert root.tag == f"{ATOM}feed"
    once = ["id", "title", "updated"]
    for parent in [root, *root.findall(f"{ATOM}entry")]:
        for name in once:
            assert len(parent.findall(f"{ATOM}{name}")) == 1, name
        assert re.fullmatch(r"(urn|tag):\S+", text_of(parent, "id"))
        # RFC 3339, as 3.3 requires it.
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text_of(parent, "updated"))
    assert text_of(root, "author/name")
    [own] = [link for link in root.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert own.get("href") == URL
    for item in root.findall(f"{ATOM}entry"):
        assert len(item.findall(f"{ATOM}link")) <= 1
        assert len(item.findall(f"{ATOM}summary")) == len(item.findall(f"{ATOM}content")) == 1
        for name in ("title", "summary", "content"):
            element = item.find(f"{ATOM}{name}")
            assert element is not None
            assert element.get("type") == "text"
            assert not list(element)
    return root


def text_of(parent: ET.Element, path: str) -> str:
    return parent.findtext("/".join(f"{ATOM}{name}" for name in path.split("/"))) or ""


def test_a_feed_has_its_entries_in_order() -> None:
    root = feed(entry(title="one"), entry(title="two", link=None))
    assert [text_of(item, "title") for item in root.findall(f"{ATOM}entry")] == ["one", "two"]
    assert text_of(root, "id") == f"urn:uuid:{FEED}"
    assert text_of(root, "updated") == "2026-11-27T10:30:05Z"


def test_a_feed_without_entries_is_whole() -> None:
    assert feed().findall(f"{ATOM}entry") == []


def test_the_lines_of_a_content_are_kept() -> None:
    item = feed(entry()).find(f"{ATOM}entry")
    assert item is not None
    assert text_of(item, "content") == "Status: draft → done\nby commit 1a2b3c4"
    assert text_of(item, "summary") == "Changed in 1a2b3c4"


@given(any_text, any_text, any_text, any_text)
def test_any_texts_are_escaped(title: str, author: str, summary: str, content: str) -> None:
    root = feed(entry(title=title, summary=summary, content=content), title=title, author=author)
    item = root.find(f"{ATOM}entry")
    assert item is not None
    expected = clean(content).replace("\r\n", "\n").replace("\r", "\n")
    assert text_of(item, "content") == expected
    assert text_of(item, "title") == (" ".join(clean(title).split()) or "Untitled")


@given(any_text)
def test_any_link_is_of_the_web_and_a_uri_or_left_out(rest: str) -> None:
    for link in (rest, "https://hub.example/" + rest):
        item = feed(entry(link=link)).find(f"{ATOM}entry")
        assert item is not None
        element = item.find(f"{ATOM}link")
        if element is not None:
            assert re.fullmatch(r"https?://[!-~]+", element.attrib["href"])
            assert '"' not in element.attrib["href"]


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "data:text/html,x", "/documents/1", "https://", "https://a/" * 1_000],
)
def test_links_that_are_not_on_the_web_are_left_out(link: str) -> None:
    item = feed(entry(link=link)).find(f"{ATOM}entry")
    assert item is not None
    assert item.find(f"{ATOM}link") is None


def test_times_are_in_utc() -> None:
    there = datetime(2026, 11, 27, 1, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    item = feed(entry(updated=there)).find(f"{ATOM}entry")
    assert item is not None
    assert text_of(item, "updated") == "2026-11-26T19:30:00Z"
    early = feed(entry(updated=datetime(7, 1, 1, tzinfo=UTC))).find(f"{ATOM}entry")
    assert early is not None
    assert text_of(early, "updated") == "0007-01-01T00:00:00Z"


def test_an_id_is_the_same_each_time_and_another_for_other_names() -> None:
    assert entry_id(FEED, "a", "b") == entry_id(FEED, "a", "b")
    assert len({entry_id(FEED, "a", "b"), entry_id(FEED, "ab"), entry_id(FEED, "a,b")}) == 3
    assert entry_id(FEED, "\ud800").startswith("urn:uuid:")


@pytest.mark.parametrize("id_", ["tag:hub.example,2026-11-27:run/1", "tag:a@b.example,2026:x"])
def test_tag_uris_are_ids(id_: str) -> None:
    item = feed(entry(id=id_)).find(f"{ATOM}entry")
    assert item is not None
    assert text_of(item, "id") == id_


@pytest.mark.parametrize("id_", ["", "7", "urn:uuid:7", "https://hub.example/1", "tag:x"])
def test_other_ids_are_refused(id_: str) -> None:
    with pytest.raises(ValueError, match="urn:uuid"):
        feed(entry(id=id_))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        feed(entry(updated=datetime(2026, 11, 27)))


def test_an_own_address_that_is_not_on_the_web_is_refused() -> None:
    with pytest.raises(ValueError, match="not an address"):
        write_feed(FEED.urn, "Payments", "/activity", NOW, [], author="BMADFlow")


def test_a_feed_is_bounded() -> None:
    long = "<" * 100_000
    text = write_feed(
        FEED.urn,
        long,
        URL,
        NOW,
        [entry(title=long, summary=long, content=long)] * 1_000,
        author=long,
    )
    root = ET.fromstring(text)
    assert len(root.findall(f"{ATOM}entry")) == 200
    assert len(text) < 5_000_000
