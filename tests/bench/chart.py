"""results.svg: requests per second and p99 of each contender, by route and connections.

growth.svg: the time of a search, by the number of documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from contenders import CONNECTIONS, RESPONSES, SERVICE
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from results import Growth, LoadResults, Results

# One strong colour for the service, pale ones for its peers, greys for the upper bounds. Nobody has
# to tell colours apart: each bar stands beside its contender's name.
COLOURS = {
    "service": "#0b62a8",
    "Fastify + postgres.js": "#7fb8a4",
    "Go + pgx": "#8fbfdc",
    "FastAPI + SQLAlchemy": "#e08a4f",
    "FastAPI, echo off": "#f3bd93",
    "static Starlette": "#a4a9b1",
    "bare uvicorn": "#c9ccd1",
}

CAPTION = (
    "Bars: requests/s, more is better. p99: 99 % of the responses took at most this long, less is "
    "better. One core for the server."
)

WIDTH_INCHES = 9.4  # at 100 pixels each
BAR_INCHES = 0.2
HEADING_INCHES = 0.75
CAPTION_INCHES = 0.25

# The longest bar's part of a panel's width; its number follows, and the p99 is at the right edge.
BAR_PART = 0.55

GROWTH_INCHES = 4.2
GROWTH_CAPTION = (
    "Lines: p50 and p95 of all classes of queries, each as often; pale: the p95 of each class. "
    "1 connection, less is better."
)
# Labels at the ends of lines have at least this distance, in parts of the panel's height.
LABEL_DISTANCE = 0.045

TEXT = "#24292f"
FAINT = "#656d76"

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 8.5,
    "text.color": TEXT,
    "ytick.color": TEXT,
    "svg.hashsalt": "bench",  # makes the file reproducible
}


def draw(results: Results, path: Path) -> None:
    """Write the chart in the format of the path's suffix."""
    heights = [HEADING_INCHES + BAR_INCHES * len(results.loads[route]) for route in RESPONSES]
    heights[-1] += CAPTION_INCHES
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(WIDTH_INCHES, sum(heights)),
            dpi=100,
            facecolor="white",
            layout=ConstrainedLayoutEngine(h_pad=0.06, wspace=0.06),
        )
        parts = figure.subfigures(len(RESPONSES), 1, height_ratios=heights)
        for part, (route, response) in zip(parts, RESPONSES.items(), strict=True):
            title = response[0].upper() + response[1:]
            part.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
            panels = part.subplots(1, len(CONNECTIONS), sharex=True, sharey=True)
            for panel, connections in zip(panels, CONNECTIONS, strict=True):
                _draw_panel(panel, results.loads[route], connections)
        parts[-1].supxlabel(CAPTION, x=0.01, ha="left", fontsize=8.5, color=FAINT)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, metadata=metadata)


def _draw_panel(panel: Axes, loads: dict[str, LoadResults], connections: int) -> None:
    for row, (name, by_connections) in enumerate(loads.items()):
        weight = "bold" if name == SERVICE.name else "normal"
        if not (load := by_connections.get(connections)):
            panel.bar_label(panel.barh(row, 0), ["not measured"], padding=3, color=FAINT)
            continue
        rate = load.requests_per_second
        bars = panel.barh(row, rate, 0.78, color=COLOURS[name])
        panel.bar_label(bars, [f"{rate:,.0f}"], padding=3, weight=weight)
        panel.annotate(
            _format_milliseconds(load.p99_ms),
            (1, row),
            xycoords=("axes fraction", "data"),
            va="center",
            ha="right",
            color=FAINT,
            weight=weight,
        )
    longest = max(
        load.requests_per_second
        for by_connections in loads.values()
        for load in by_connections.values()
    )
    panel.set_xlim(0, longest / BAR_PART)
    panel.set_ylim(len(loads) - 0.5, -0.5)
    panel.set_yticks(range(len(loads)), list(loads))
    panel.set_xticks([])
    panel.tick_params(left=False)
    panel.spines[["top", "right", "bottom"]].set_visible(False)
    panel.spines["left"].set_color("#d0d7de")
    plural = "s" if connections > 1 else ""
    panel.set_title(f"{connections} connection{plural}", loc="left", fontsize=8.5, color=FAINT)
    panel.set_title("p99", loc="right", fontsize=8.5, color=FAINT)


def _format_milliseconds(value: float) -> str:
    decimals = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{decimals}f} ms"


def draw_growth(grown: list[Growth], path: Path) -> None:
    """Write the chart of corpora of several sizes in the format of the path's suffix."""
    with mpl.rc_context(STYLE | {"xtick.color": TEXT}):
        figure = Figure(
            figsize=(WIDTH_INCHES, GROWTH_INCHES),
            dpi=100,
            facecolor="white",
            layout=ConstrainedLayoutEngine(h_pad=0.06),
        )
        panel = figure.subplots()
        counts = [growth.indexing.documents for growth in grown]
        ends: dict[str, tuple[float, str]] = {}
        for name in grown[0].queries:
            values = [growth.queries[name].p95_ms for growth in grown]
            panel.plot(counts, values, color="#c9d6e2", linewidth=1)
            ends[name] = values[-1], FAINT
        for name, style in (("p50", "--"), ("p95", "-")):
            values = [getattr(growth.all_classes, f"{name}_ms") for growth in grown]
            panel.plot(counts, values, style, color=COLOURS["service"], linewidth=2, marker="o")
            ends[f"all, {name}"] = values[-1], COLOURS["service"]
            for count, value in zip(counts, values, strict=True):
                panel.annotate(
                    _format_milliseconds(value),
                    (count, value),
                    xytext=(0, 7),
                    textcoords="offset points",
                    ha="center",
                    color=COLOURS["service"],
                    weight="bold",
                )
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks(counts, [f"{count:,}" for count in counts], minor=False)
        panel.set_xticks([], minor=True)
        low, high = panel.get_ylim()
        ticks = [step * 10**power for power in range(-2, 5) for step in (1, 2, 5)]
        shown = [tick for tick in ticks if low <= tick <= high]
        panel.set_yticks(shown, [f"{tick:g} ms" for tick in shown])
        panel.set_yticks([], minor=True)
        panel.set_xlabel("documents of 10 KB", color=FAINT)
        panel.grid(axis="y", color="#eaeef2")
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color("#d0d7de")
        _label_ends(panel, counts[-1], ends)
        figure.suptitle("Time of a search", x=0.01, ha="left", fontsize=11, fontweight="bold")
        figure.supxlabel(GROWTH_CAPTION, x=0.01, ha="left", fontsize=8.5, color=FAINT)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, metadata=metadata)


def _label_ends(panel: Axes, count: int, ends: dict[str, tuple[float, str]]) -> None:
    """Write each name at the end of its line, or above it where another name is."""
    last = -LABEL_DISTANCE
    to_axes = panel.transData + panel.transAxes.inverted()
    for name, (value, colour) in sorted(ends.items(), key=lambda item: item[1][0]):
        height = max(to_axes.transform((count, value))[1], last + LABEL_DISTANCE)
        last = height
        panel.annotate(name, (1.01, height), xycoords="axes fraction", va="center", color=colour)
