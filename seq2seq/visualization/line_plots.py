"""Several systems as lines in one picture, told apart by labels, markers and dashes as well as colours."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seq2seq.evaluation.by_length import LengthBucket
from seq2seq.visualization.labels import UNKNOWN, fonts_for
from seq2seq.visualization.pictures import write_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL_HEIGHT = 0.17
"""Inches from one label to the next."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a6459b", "#8a6d00", "#56a0d3", "#404040")
DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
MARKERS = "os^DvP<X>dph*"
WITHOUT: dict[str, Any] = {"color": "black", "linewidth": 2.5, "marker": "s", "markersize": 5}


class Line(NamedTuple):
    x: Sequence[float]
    y: Sequence[float]
    has_attention: bool = True
    """What has none is drawn to stand out."""


def plot_by_length(by_length: Mapping[str, Sequence[LengthBucket]], path: str | Path) -> None:
    """Draw the BLEU of systems by source length, as `bleu_by_source_length` has it.

    Args:
        by_length: By the name of the system.
        path: Ends with .png or .svg.

    Raises:
        UserError: The picture's name has another suffix.
        OSError: The file cannot be written.
    """
    write_picture(length_figure(by_length), path)


def length_figure(by_length: Mapping[str, Sequence[LengthBucket]], without_attention: Sequence[str] = ()) -> "Figure":
    """The figure that `plot_by_length` writes; the systems named last stand out, as `lines_figure` says."""
    (buckets, *others) = by_length.values()
    if any([bucket[:3] for bucket in other] != [bucket[:3] for bucket in buckets] for other in others):
        raise ValueError("the systems' buckets differ: they are of other sources")
    ticks = [f"{bucket.words}\n({bucket.num_sentences})" for bucket in buckets]
    lines = {
        name: Line(range(len(buckets)), [bucket.bleu for bucket in buckets], name not in without_attention)
        for name, buckets in by_length.items()
    }
    return lines_figure(lines, "words of the source sentence (number of sentences)", "BLEU", ticks)


def lines_figure(
    lines: Mapping[str, Line], xlabel: str, ylabel: str, ticks: Sequence[str] = (), enlarged_from: float = 0.0
) -> "Figure":
    """One line a system, its name beside its end.

    Where some systems have attention and others not, there are two panels: on the left all, from 0, with only those
    without named; on the right the others alone, enlarged.

    Args:
        lines: By name.
        ticks: Labels of the whole numbers of the x axis, from 0.
        enlarged_from: Where the right panel's x axis starts.
    """
    from matplotlib.figure import Figure

    styles = _styles(lines)
    without = {name: line for name, line in lines.items() if not line.has_attention}
    others = {name: line for name, line in lines.items() if line.has_attention}
    height = max(4.0, LABEL_HEIGHT * len(lines) + 1.3)
    if not without or not others:
        width = max(7.5, 5.5 + 0.09 * max(map(len, lines)))
        figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
        axes = figure.subplots()
        _draw(axes, lines, styles)
        _label_ends(axes, lines, styles, height)
        panels = [axes]
    else:
        figure = Figure(figsize=(12, height), dpi=150, layout="constrained")
        left, right = figure.subplots(1, 2)
        thin = {name: style | {"linewidth": 0.8, "marker": "", "color": "0.55"} for name, style in styles.items()}
        _draw(left, others, thin)
        _draw(left, without, styles)
        left.set_ylim(bottom=0)
        _label_ends(left, without, styles, height)
        left.set_title("without attention (thick) and with (thin)", fontsize=10)
        _draw(right, {name: _from(line, enlarged_from) for name, line in others.items()}, styles)
        _label_ends(right, others, styles, height)
        right.set_title("with attention, enlarged", fontsize=10)
        panels = [left, right]
    for axes in panels:
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        if ticks:
            axes.set_xticks(range(len(ticks)), ticks, fontsize=8)
    return figure


def _from(line: Line, start: float) -> Line:
    points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if x >= start]
    return line._replace(x=[x for x, _ in points], y=[y for _, y in points])


def _styles(lines: Mapping[str, Line]) -> dict[str, dict[str, Any]]:
    colours, dashes, markers = cycle(COLOURS), cycle(DASHES), cycle(MARKERS)
    return {
        name: {
            "color": next(colours), "linestyle": next(dashes), "marker": next(markers), "linewidth": 1.2,
            "markersize": 5, "markerfacecolor": "white",
        }
        if line.has_attention
        else WITHOUT
        for name, line in lines.items()
    }  # fmt: skip


def _draw(axes: "Axes", lines: Mapping[str, Line], styles: Mapping[str, Mapping[str, Any]]) -> None:
    for name, line in lines.items():
        axes.plot(line.x, line.y, **styles[name])


def _label_ends(
    axes: "Axes", lines: Mapping[str, Line], styles: Mapping[str, Mapping[str, Any]], height: float
) -> None:
    """Write each name, with its marker, right of its line's end, so that none covers another; a hair joins the two."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    families, missing = fonts_for("".join(lines))
    drawable = str.maketrans(dict.fromkeys(missing, UNKNOWN))
    order = sorted(lines, key=lambda name: lines[name].y[-1])
    wanted = [min(max((lines[name].y[-1] - low) / (high - low), 0.0), 1.0) for name in order]
    for name, place in zip(order, spread(wanted, gap=LABEL_HEIGHT / (height - 1.0)), strict=True):
        line, beside = lines[name], {"xycoords": axes.transAxes, "textcoords": "axes fraction"}
        hair = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}
        axes.annotate("", (line.x[-1], line.y[-1]), (1.05, place), textcoords="axes fraction", arrowprops=hair)
        font = {"fontsize": 9, "fontweight": "normal" if line.has_attention else "bold", "parse_math": False}
        axes.annotate(
            name.translate(drawable), (1.09, place), (1.09, place), va="center", family=families, **font, **beside
        )
        axes.plot([1.04, 1.075], [place, place], transform=axes.transAxes, clip_on=False, **_sample(styles[name]))


def _sample(style: Mapping[str, Any]) -> dict[str, Any]:
    """A style for the short piece of line beside a name: one marker, at its end."""
    return {**style, "markevery": [1]}


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Places near the wanted ones, which ascend: `gap` apart at least, from 0 to 1 where there is room."""
    up: list[float] = []
    for place in wanted:
        up.append(max(place, up[-1] + gap) if up else place)
    down: list[float] = []
    for place in reversed(wanted):
        down.append(min(place, down[-1] - gap) if down else place)
    places = [(above + below) / 2 for above, below in zip(up, reversed(down), strict=True)]
    limit = 1.0
    for index in reversed(range(len(places))):
        limit = places[index] = min(places[index], limit)
        limit -= gap
    limit = 0.0
    for index in range(len(places)):
        limit = places[index] = max(places[index], limit)
        limit += gap
    return places
