"""The filters of templates: numbers, times and words for people.

Imports markupsafe, which only Jinja needs: import this module where Jinja is imported.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import floor
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from service.drawing.sparkline import place_sparkline
from service.routes.shared import name_status

if TYPE_CHECKING:
    from collections.abc import Callable

# In English, whatever the locale of the process.
MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)

# Kinds of documents that are no words.
ABBREVIATIONS: Final = {"prd": "PRD", "ux": "UX", "readme": "README"}


def show_number(number: int) -> str:
    """Return a number with commas between thousands."""
    return f"{number:,}"


def show_count(number: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun: `1 story`, `2 stories`; by default `several` has an `s`."""
    noun = one if number == 1 else several or f"{one}s"
    return f"{number:,} {noun}"


def show_severity(number: int, severity: str) -> str:
    """Return a number of problems of a severity: `1 error`, `2 warnings`, `3 info`."""
    return show_count(number, severity, severity if severity == "info" else None)


def show_percent(share: float | None) -> str:
    """Return a share of 0 to 1 in percent, rounded down: 100% is all. Without a share, a dash."""
    return "\u2013" if share is None else f"{floor(share * 100 + 1e-9)}%"


def show_signed(number: int) -> str:
    """Return a number with its sign, and commas between thousands."""
    return "0" if number == 0 else f"{number:+,}".replace("-", "\u2212")


def show_words(name: str) -> str:
    """Return a name such as `in_progress` in words."""
    return name.replace("_", " ")


def show_time(moment: datetime | str) -> Markup:
    """Return a `time` element with a moment in UTC, to the minute; a text is one of ISO 8601."""
    at = _read_moment(moment)
    shown = f"{at.day} {MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", shown)


def show_date(moment: datetime | str) -> Markup:
    """Return a `time` element with the day of a moment in UTC."""
    at = _read_moment(moment)
    shown = f"{at.day} {MONTHS[at.month - 1]} {at.year}"
    return Markup('<time datetime="{}">{}</time>').format(f"{at:%Y-%m-%d}", shown)


def show_size(size: int) -> str:
    """Return a number of bytes: `812 bytes`, `4.2 kB`, `1.3 MB`."""
    if size < 1000:
        return show_count(size, "byte")
    unit, shown = ("MB", size / 1e6) if size >= 999_950 else ("kB", size / 1e3)
    return f"{shown:.1f} {unit}" if shown < 100 else f"{shown:,.0f} {unit}"


def show_kind(kind: str | None) -> str:
    """Return the kind of a document in words: `PRD`, `Story`; nothing for the kind `other`."""
    if kind is None or kind == "other":
        return ""
    return ABBREVIATIONS.get(kind) or kind.capitalize()


def show_url(url: str) -> str:
    """Return a URL as people write it: without `https://`."""
    return url.removeprefix("https://")


def _read_moment(moment: datetime | str) -> datetime:
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


FILTERS: Final[dict[str, Callable[..., object]]] = {
    "number": show_number,
    "count_of": show_count,
    "count_of_severity": show_severity,
    "signed": show_signed,
    "percent": show_percent,
    "status": name_status,
    "words": show_words,
    "time": show_time,
    "date": show_date,
    "size": show_size,
    "kind_of_document": show_kind,
    "without_scheme": show_url,
    "sparkline": place_sparkline,
}
