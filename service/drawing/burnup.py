"""The burn-up chart: how many stories there are, and how many of them are done, day by day.

The chart has no script, no link and no font of its own. Its colours follow the reader's scheme. It
fills the width that a page gives it.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from service.drawing.axes import date_ticks, number_ticks, write_day
from service.drawing.escaping import clean_line, escape
from service.drawing.text_widths import cut_to_width, text_width

MAX_COUNT: Final = 999_999_999
MAX_CHART_TITLE: Final = 200  # characters, of which the picture shows as many as it has room for

_XMLNS: Final = "http://www.w3.org/2000/svg"
_WIDTH: Final = 760
_HEIGHT: Final = 420
_MARGIN: Final = 24
_TOP: Final = 124
_BOTTOM: Final = _HEIGHT - 58
_LEGEND: Final = _WIDTH - _MARGIN - 316  # where it begins
_LABEL_SIZE: Final = 12  # the sizes are those of the style sheet
_END_SIZE: Final = 13
_TITLE_SIZE: Final = 18
_BOLD: Final = 1.15  # how much wider a text is in bold
_LABEL_GAP: Final = 8  # between a tick's number and its line
_END_GAP: Final = 12  # between the end of a line and its label
_END_HEIGHT: Final = 18  # of such a label
_TICK_WIDTH: Final = 68  # for each date
_COLUMNS_PER_UNIT: Final = 2

# All selectors begin with the chart's class, so that a page of HTML can contain the chart. The
# colours have a contrast of at least 4.5 on the chart's own ground (WCAG 2.2, 1.4.3), which is
# drawn, since a dark reader may see the chart on a white page. No custom properties: programs that
# turn SVG into other formats for reports do not know them.
_STYLE: Final = """
.burnup{color-scheme:light dark;font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,\
sans-serif;font-size:12px;font-variant-numeric:tabular-nums}
.burnup .ground{fill:#fff}
.burnup .ink{fill:#1f2328}
.burnup .muted{fill:#57606a}
.burnup .grid{stroke:#d8dee4}
.burnup .axis{stroke:#6e7781}
.burnup .scope{fill:none;stroke:#bc4c00;stroke-width:2;stroke-dasharray:7 4}
.burnup .done{fill:none;stroke:#0969da;stroke-width:3}
.burnup .area{fill:#0969da;fill-opacity:.12}
.burnup .scope-end{fill:#fff;stroke:#bc4c00;stroke-width:2}
.burnup .done-end{fill:#0969da}
.burnup .scope-text{fill:#bc4c00;font-size:13px;font-weight:600}
.burnup .done-text{fill:#0969da;font-size:13px;font-weight:600}
.burnup .title{font-size:18px;font-weight:600}
.burnup .facts{font-size:13px}
.burnup .note{font-size:16px}
@media (prefers-color-scheme:dark){
.burnup .ground{fill:#0d1117}
.burnup .ink{fill:#e6edf3}
.burnup .muted{fill:#9198a1}
.burnup .grid{stroke:#262c36}
.burnup .axis{stroke:#8b949e}
.burnup .scope{stroke:#f0883e}
.burnup .done{stroke:#58a6ff}
.burnup .area{fill:#58a6ff;fill-opacity:.16}
.burnup .scope-end{fill:#0d1117;stroke:#f0883e}
.burnup .done-end{fill:#58a6ff}
.burnup .scope-text{fill:#f0883e}
.burnup .done-text{fill:#58a6ff}
}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

# The header of a response with a chart. A chart that is opened on its own needs its style sheet,
# which is always the same: its hash lets in no other, where 'unsafe-inline' would.
BURNUP_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; sandbox"
)


class _Plot(NamedTuple):
    """The rectangle of the lines: from the day `first` to the start of `end`, from 0 to `most`."""

    left: int
    right: int
    first: int
    end: int
    most: int

    def x(self, day: float) -> float:
        """Return where a day starts, on the columns that the lines have."""
        share = (day - self.first) / (self.end - self.first)
        return round((self.left + share * (self.right - self.left)) * _COLUMNS_PER_UNIT) / (
            _COLUMNS_PER_UNIT
        )

    def y(self, count: int) -> float:
        return round(_BOTTOM - count / self.most * (_BOTTOM - _TOP), 2)


def draw_burnup(days: Sequence[tuple[date, int, int]], title: str) -> str:
    """Return a chart as SVG of (date, scope, done), one entry for each day with a change.

    A value holds from the start of its day to that of the next entry, and the last one to the end
    of the last day. Entries may have any order; of two for one day the last counts. Numbers are
    cut to those from 0 to MAX_COUNT. A line has at most one step in half a unit of its width, so
    that a chart has at most about 60 KB. Without entries the chart says "No history yet". Serve it
    with BURNUP_POLICY.
    """
    title = clean_line(title, MAX_CHART_TITLE) or "Burn-up"
    name = escape(title)
    entries = _in_order(days)
    parts = [
        f"<title>{name}</title>",
        f"<desc>{escape(_describe(entries))}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{_WIDTH}" height="{_HEIGHT}"/>',
        _draw_title(title),
        *(_draw_history(entries) if entries else _draw_nothing()),
    ]
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    root = f'<svg xmlns="{_XMLNS}" class="burnup" role="img" aria-label="{name}" {box}>'
    return "\n".join([root, *parts, "</svg>\n"])


def burnup_csv(days: Sequence[tuple[date, int, int]]) -> str:
    """Return the entries in order as CSV (RFC 4180), with a line of names: `date,scope,done`."""
    rows = (
        f"{date.fromordinal(day).isoformat()},{scope},{done}\r\n"
        for day, scope, done in _in_order(days)
    )
    return "date,scope,done\r\n" + "".join(rows)


def _in_order(days: Sequence[tuple[date, int, int]]) -> list[tuple[int, int, int]]:
    by_day = {day.toordinal(): (_bound(scope), _bound(done)) for day, scope, done in days}
    return [(day, *by_day[day]) for day in sorted(by_day)]


def _bound(count: int) -> int:
    return min(max(count, 0), MAX_COUNT)


def _describe(entries: Sequence[tuple[int, int, int]]) -> str:
    """Return the first and the last day's numbers as sentences."""
    if not entries:
        return "No history yet."
    day, scope, done = entries[-1]
    first, first_scope, first_done = entries[0]
    now = f"{write_day(day)}: {_write_share(scope, done)}."
    if first == day:
        return now
    return f"{write_day(first)}: {_write_share(first_scope, first_done)}. {now}"


def _write_share(scope: int, done: int) -> str:
    # Rounded down: 100 % are all stories.
    share = f" ({min(done * 100 // scope, 100)} %)" if scope else ""
    return f"{done:,} of {scope:,} {'story' if scope == 1 else 'stories'} done{share}"


def _draw_title(title: str) -> str:
    width = _WIDTH - 2 * _MARGIN
    shown = cut_to_width(title, _TITLE_SIZE * _BOLD, width)
    # The inner svg cuts off what is larger than any estimate, such as piles of accents.
    text = _text("ink title", 0, 21, escape(shown))
    return f'<svg x="{_MARGIN}" y="12" width="{width}" height="30">{text}</svg>'


def _draw_nothing() -> list[str]:
    return [
        _path("axis", f"M{_MARGIN} {_BOTTOM}H{_WIDTH - _MARGIN}"),
        _text("muted note", _WIDTH / 2, (_TOP + _BOTTOM) / 2, "No history yet", anchor="middle"),
    ]


def _draw_history(entries: Sequence[tuple[int, int, int]]) -> list[str]:
    first, (last, scope, done) = entries[0][0], entries[-1]
    numbers = number_ticks(max(max(entry[1:]) for entry in entries))
    ends = {"scope": f"Scope {scope:,}", "done": f"Done {done:,}"}
    ends_width = max(text_width(text, _END_SIZE * _BOLD) for text in ends.values())
    plot = _Plot(
        left=round(_MARGIN + text_width(f"{numbers[-1]:,}", _LABEL_SIZE) + _LABEL_GAP),
        right=round(_WIDTH - _MARGIN - ends_width - _END_GAP),
        first=first,
        end=last + 1,
        most=numbers[-1],
    )
    scope_line = _draw_steps(plot, [(day, scope) for day, scope, _ in entries])
    done_line = _draw_steps(plot, [(day, done) for day, _, done in entries])
    return [
        *_draw_facts(entries),
        *_draw_numbers(plot, numbers),
        *_draw_dates(plot),
        _path("area", f"{done_line}V{_BOTTOM}H{plot.left}z"),
        # The dashes lie on the other line, so that both show where all is done.
        _path("done", done_line),
        _path("scope", scope_line),
        f'<circle class="done-end" cx="{plot.right}" cy="{_write(plot.y(done))}" r="5"/>',
        f'<circle class="scope-end" cx="{plot.right}" cy="{_write(plot.y(scope))}" r="3"/>',
        *_draw_ends(plot, ends, {"scope": plot.y(scope), "done": plot.y(done)}),
    ]


def _draw_facts(entries: Sequence[tuple[int, int, int]]) -> list[str]:
    """Return the line below the title, the name of the upright axis, and the legend."""
    (first, _, _), (last, scope, done) = entries[0], entries[-1]
    days = write_day(last) if first == last else f"{write_day(first)} to {write_day(last)}"
    return [
        _text("muted facts", _MARGIN, 60, f"{_write_share(scope, done)} · {days}"),
        _text("muted", _MARGIN, 98, "Stories"),
        _path("done", f"M{_LEGEND} 94h28"),
        _text("ink", _LEGEND + 36, 98, "Done"),
        _path("scope", f"M{_LEGEND + 90} 94h28"),
        _text("ink", _LEGEND + 126, 98, "Scope: not cancelled or archived"),
    ]


def _draw_numbers(plot: _Plot, numbers: Sequence[int]) -> list[str]:
    lines: list[str] = []
    for number in numbers:
        y = plot.y(number)
        lines += [
            _path("grid" if number else "axis", f"M{plot.left} {_write(y)}H{plot.right}"),
            _text("muted", plot.left - _LABEL_GAP, y + 4, f"{number:,}", anchor="end"),
        ]
    return lines


def _draw_dates(plot: _Plot) -> list[str]:
    """Return the ticks at the starts of their days, and their labels.

    Where each day has a label, that is in the day's middle.
    """
    most = (plot.right - plot.left) // _TICK_WIDTH
    middle = 0.5 if plot.end - plot.first <= most else 0
    lines: list[str] = []
    for day, label, year in date_ticks(plot.first, plot.end, most):
        x = plot.x(day + middle)
        lines += [
            _path("axis", f"M{_write(plot.x(day))} {_BOTTOM}v5"),
            _text("muted", x, _BOTTOM + 20, label, anchor="middle"),
        ]
        if year:
            lines.append(_text("muted", x, _BOTTOM + 36, year, anchor="middle"))
    return lines


def _draw_steps(plot: _Plot, values: Sequence[tuple[int, int]]) -> str:
    """Return the path of a line: the last value of each column, and a step where that changes."""
    columns = {plot.x(day): plot.y(count) for day, count in values}
    path: list[str] = []
    before: float | None = None
    for x, y in columns.items():
        if before is None:
            path.append(f"M{_write(x)} {_write(y)}")
        elif y != before:
            path.append(f"H{_write(x)}V{_write(y)}")
        before = y
    return "".join([*path, f"H{_write(plot.right)}"])


def _draw_ends(plot: _Plot, texts: dict[str, str], ends: dict[str, float]) -> list[str]:
    """Return the labels at the ends of the lines, moved apart where they would overlap."""
    upper, lower = sorted(ends, key=lambda line: (ends[line], line != "scope"))
    apart = max(_END_HEIGHT - (ends[lower] - ends[upper]), 0)
    places = {upper: ends[upper] - apart / 2, lower: ends[lower] + apart / 2}
    below = max(places[lower] - _BOTTOM, 0)
    return [
        _text(f"{line}-text", plot.right + _END_GAP, places[line] - below + 4, texts[line])
        for line in (upper, lower)
    ]


def _path(style: str, corners: str) -> str:
    return f'<path class="{style}" d="{corners}"/>'


def _text(style: str, x: float, y: float, text: str, *, anchor: str = "start") -> str:
    place = f'x="{_write(x)}" y="{_write(y)}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{text}</text>'


def _write(number: float) -> str:
    """Return the number with at most two digits after the point, and no useless ones."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
