"""results.svg: requests per second and p99 of each contender."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from contenders import HEALTH
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from results import LoadResult, LoadResults, Results

# One strong colour for the service, two related ones for the peer, greys for the upper bounds. They
# also differ in brightness, for colour-blind readers.
COLOURS = {
    "service": "#0b62a8",
    "peer": "#d1590f",
    "peer, echo off": "#f0a46a",
    "static Starlette": "#8a8f98",
    "bare uvicorn": "#c9ccd1",
}

INCHES = (9.0, 5.0)  # at 100 pixels each
BAR_HEIGHT = 0.17
TEXT = "#24292f"

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 8.5,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "axes.edgecolor": "#d0d7de",
    "svg.hashsalt": "bench",  # makes the file reproducible
}


def draw(results: Results, path: Path) -> None:
    """Write the chart in the format of the path's suffix."""
    loads = results.loads[HEALTH]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=INCHES, dpi=100, facecolor="white", layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        _draw_panel(left, loads, lambda load: load.requests_per_second, "{:,.0f}".format)
        left.set_title("requests/s: more is better", loc="left", fontsize=10)
        _draw_panel(right, loads, lambda load: load.p99_ms, _format_milliseconds)
        right.set_title("99 % are answered within: less is better", loc="left", fontsize=10)
        left.xaxis.set_major_formatter("{x:,.0f}")
        right.set_xscale("log")
        right.xaxis.set_major_formatter("{x:,g}")
        right.minorticks_off()
        left.set_xlim(right=left.get_xlim()[1] * 1.12)  # room for the numbers
        right.set_xlim(right=right.get_xlim()[1] * 6)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
        figure.supxlabel("GET /api/health, one core for the server, wrk on another", fontsize=8.5)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, metadata=metadata)


def _draw_panel(
    axes: Axes,
    loads: dict[str, LoadResults],
    value_of: Callable[[LoadResult], float],
    format_value: Callable[[float], str],
) -> None:
    for row, (name, by_connections) in enumerate(loads.items()):
        # From top to bottom, in the order of the legend.
        places = [group + (row - (len(loads) - 1) / 2) * BAR_HEIGHT for group in range(3)]
        values = [value_of(load) for load in by_connections.values()]
        bars = axes.barh(places, values, BAR_HEIGHT * 0.88, label=name, color=COLOURS[name])
        weight = "bold" if name == "service" else "normal"
        axes.bar_label(bars, [format_value(value) for value in values], padding=3, weight=weight)
    connections = next(iter(loads.values()))
    names = [f"{number} connection{'s' if number > 1 else ''}" for number in connections]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.tick_params(left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", color="#eaeef2")
    axes.set_axisbelow(True)


def _format_milliseconds(value: float) -> str:
    decimals = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{decimals}f} ms"
