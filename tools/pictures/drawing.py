"""How a picture is drawn: numbers in, the same bytes of SVG out, every time."""

import io
import json
import re
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tools.pictures.numbers import PANELS, Numbers
from tools.pictures.subjects import MEASURE, Picture

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499")
"""Okabe and Ito's, which colour-blind people tell apart; the last from Tol."""

_INK, _PALE = "#333333", "#d9d9d9"

_SIZE = (8.4, 3.9)

_POINTS = 11
"""At most, of each line."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tensorseed",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _PALE,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#eeeeee",
}

_FINER = re.compile(rb"(\.\d)\d\d\d+")
"""Digits of a place that no screen shows; the numbers that a picture carries have fewer."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def drawn(picture: Picture, numbers: Numbers) -> bytes:
    """Return a picture as SVG, on a white card of its own: readable on any page.

    Args:
        picture: What it shows.
        numbers: Its lines', measured.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE)
        figure.patch.set_alpha(0)
        _card(figure)
        for place, (panel, title) in enumerate(PANELS.items()):
            axes = figure.add_axes((0.075 + 0.485 * place, 0.24, 0.415, 0.5))
            _panel(axes, panel, numbers)
            axes.set_title(title, loc="left", fontsize=10)
            axes.set_xlabel(picture.along)
        figure.text(0.035, 0.92, picture.title, fontsize=12, fontweight="bold", va="center")
        _legend(figure, picture)
        note = (
            f"Lines: theory, shaded 2 sigma of networks of this width. Points: measured, mean of"
            f" {MEASURE['seeds']} seeds, batch of {MEASURE['batch']}."
        )
        figure.text(0.035, 0.055, note, fontsize=8.5, color="#666666", va="center")
        out = io.BytesIO()
        carried = json.dumps(numbers, separators=(",", ":"))
        figure.savefig(out, format="svg", metadata=_metadata(picture, carried))
    return _FINER.sub(rb"\1", out.getvalue())


def _metadata(picture: Picture, carried: str) -> dict[str, Any]:
    return {"Title": picture.title, "Description": carried, "Date": None, "Creator": None}


def _card(figure: Figure) -> None:
    width, height = _SIZE
    card = FancyBboxPatch(
        (0.03, 0.03),
        width - 0.06,
        height - 0.06,
        boxstyle="round,pad=0,rounding_size=0.12",
        facecolor="white",
        edgecolor=_PALE,
        linewidth=0.8,
        transform=figure.dpi_scale_trans,
        zorder=-1,
    )
    figure.add_artist(card)


def _panel(axes: Axes, panel: str, numbers: Numbers) -> None:
    for colour, curves in zip(_COLOURS, numbers.values(), strict=False):
        middle = curves[panel]
        layers = range(1, len(middle) + 1)
        low, high = curves[f"{panel}_low"], curves[f"{panel}_high"]
        axes.fill_between(layers, low, high, color=colour, alpha=0.16, linewidth=0)
        axes.plot(layers, middle, color=colour, linewidth=1.6)
        points = curves[f"{panel}_measured"]
        seen = sorted({round(i * (len(points) - 1) / (_POINTS - 1)) for i in range(_POINTS)})
        axes.plot(
            [layers[place] for place in seen],
            [points[place] for place in seen],
            "o",
            color=colour,
            markersize=3,
        )
    axes.patch.set_alpha(0)
    axes.grid(visible=True)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.set_xlim(0, len(middle) + 1)
    _least_height(axes)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(_power))


def _least_height(axes: Axes) -> None:
    """Let an axis show at least two powers of ten, so that what is flat looks flat."""
    low, high = axes.get_ylim()
    lack = max(0.0, 2.2 - (high - low)) / 2
    axes.set_ylim(low - lack, high + lack)


def _power(value: float, _: int) -> str:
    return "1" if not value else "10" + str(round(value)).translate(_RAISED)


def _legend(figure: Figure, picture: Picture) -> None:
    colours = _COLOURS[: len(picture.lines)]
    handles = [mpl.lines.Line2D([], [], color=colour, linewidth=2.2) for colour in colours]
    figure.legend(
        handles,
        [line.label for line in picture.lines],
        loc="center left",
        bbox_to_anchor=(0.027, 0.855),
        ncols=len(handles),
        frameon=False,
        handlelength=1.2,
        columnspacing=1.4,
        handletextpad=0.5,
    )
