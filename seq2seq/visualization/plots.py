"""Attention as a picture: heat maps (PNG or SVG) in a grid of panels.

The layout is counted in inches, from the measured size of every label: nothing can overlap or be cut.
"""

import math
import textwrap
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float

from seq2seq.errors import UserError
from seq2seq.visualization.labels import MARKS, UNKNOWN, fonts_for, readable
from seq2seq.visualization.panels import Panel, darkest
from seq2seq.visualization.pictures import require_picture_name, write_picture

if TYPE_CHECKING:
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

GAP = 0.08
LARGEST = 12000
"""Pixels along a picture's longer side: what fits in memory."""
SMALLEST_DPI = 60  # with fewer dots an inch no label can be read


class _Pen:
    """How a figure's labels look, how large they are, and what cannot be drawn."""

    def __init__(self, figure: "Figure", text: str, fontsize: int):
        families, self.missing = fonts_for(text)
        self.figure, self.undrawn = figure, set(self.missing)
        self.font: dict[str, Any] = {"family": families, "fontsize": fontsize, "parse_math": False}
        self.large: dict[str, Any] = self.font | {"fontsize": 10}

    def measure(self, labels: Sequence[str], style: dict[str, Any]) -> tuple[float, float]:
        """The width of the widest and the height of the tallest of `labels`."""
        from matplotlib.text import Text

        boxes = [Text(0, 0, label, figure=self.figure, **style).get_window_extent() for label in labels]
        return max(b.width for b in boxes) / self.figure.dpi, max(b.height for b in boxes) / self.figure.dpi

    def drawable(self, labels: Sequence[str]) -> list[str]:
        """The labels with "□" for what no font has, and without marks that no font has together with their letter."""
        return [self._drawable(label) for label in labels]

    def _drawable(self, label: str) -> str:
        label = "".join(
            c if c not in self.missing else "" if unicodedata.category(c) in MARKS else UNKNOWN for c in label
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Glyph .* missing from font")
            try:
                self.measure([label], self.font)
            except UserWarning:
                self.undrawn.update(c for c in label if unicodedata.category(c) in MARKS)
                label = "".join(c for c in label if unicodedata.category(c) not in MARKS)
        return label


class _Layout:
    """The size of a panel's heat maps, one a head, and of the room that the labels around them need."""

    def __init__(self, panel: Panel, pen: _Pen, longest: int, num_columns: int, shape: float, words: tuple[str, str]):
        self.panel, self.pen = panel, pen
        self.columns, self.rows = pen.drawable(readable(panel.source)), pen.drawable(readable(panel.target))
        self.head_names, (self.source_word, self.target_word) = pen.drawable(panel.head_names), pen.drawable(words)
        num_heads, num_targets, num_sources = panel.weights.shape
        column_width, column_height = pen.measure(self.columns, pen.font)
        row_width, row_height = pen.measure(self.rows, pen.font)
        source_width, line = pen.measure([self.source_word], pen.large)
        target_width, target_line = pen.measure([self.target_word], pen.large)
        head_width, head_height = pen.measure(self.head_names, pen.large) if self.head_names else (0.0, 0.0)

        side = max(column_height, row_height) + 0.03
        if longest <= 30:
            side = max(side, 0.42 - 0.008 * longest)
        cell_width = max(side, column_width + GAP)
        across = num_columns * math.sqrt(num_heads)  # about so many heat maps stand side by side
        self.upright = cell_width <= max(side, 0.7) and cell_width * num_sources <= min(6, 12 / across)
        if not self.upright:
            cell_width = side
        self.width, self.height = cell_width * num_sources, side * num_targets
        self.step_x = max(self.width, head_width) + 2 * GAP  # from one head to the next
        self.step_y = self.height + head_height + 3 * GAP

        def ragged(num: int) -> float:
            """How far a grid with `num` heads a row is from the wanted shape without holes."""
            lines = math.ceil(num_heads / num)
            ratio = num * self.step_x / (lines * self.step_y) / shape
            return abs(math.log(ratio)) + (num * lines - num_heads) / num_heads

        self.per_row = min(range(1, num_heads + 1), key=ragged)
        num_rows = math.ceil(num_heads / self.per_row)
        self.grid_width = self.step_x * (self.per_row - 1) + self.width
        self.grid_height = self.step_y * (num_rows - 1) + self.height
        self.source_word_up = (column_height if self.upright else column_width) + 2 * GAP
        beside = max(0.0, (source_width - self.grid_width) / 2, (head_width - self.width) / 2)
        over = max(0.0, (target_width - self.grid_height) / 2)
        self.target_word_left = target_line + GAP + max(row_width + GAP, beside)
        self.left, self.right = self.target_word_left + GAP, beside
        self.title_up = max(self.source_word_up + line, over) + GAP
        self.title = textwrap.fill(pen.drawable([panel.title])[0], max(34, int(self.grid_width / 0.085)))
        self.title_width, title_height = pen.measure([self.title], pen.large) if self.title else (0.0, 0.0)
        self.above = self.title_up + (title_height + GAP if self.title else 0.0)
        self.below = max(head_height + GAP if self.head_names else 0.0, over)

    def draw(self, canvas: "_Canvas", x: float, y: float, scale: "ScalarMappable") -> None:
        """Draw the heat maps with their upper left corner at (x, y), and the labels around them."""
        num_heads, num_targets, num_sources = self.panel.weights.shape
        font, large = self.pen.font, self.pen.large
        for head in range(num_heads):
            row, column = divmod(head, self.per_row)
            axes = canvas.axes(x + column * self.step_x, y + row * self.step_y, self.width, self.height)
            axes.pcolormesh(
                self.panel.weights[head], cmap=scale.cmap, norm=scale.norm, edgecolors="0.88", linewidth=0.4
            )
            axes.invert_yaxis()
            axes.spines[:].set(color="0.4", linewidth=0.6)
            axes.tick_params(length=0, pad=72 * GAP / 2, top=True, labeltop=True, bottom=False, labelbottom=False)
            axes.set_xticks([])
            axes.set_yticks([])
            if row == 0:
                turn = {} if self.upright else {"rotation": 90}
                axes.set_xticks(np.arange(num_sources) + 0.5, self.columns, ha="center", va="bottom", **turn, **font)
            if column == 0:
                axes.set_yticks(np.arange(num_targets) + 0.5, self.rows, ha="right", va="center", **font)
            if self.head_names:
                axes.set_xlabel(self.head_names[head], labelpad=72 * GAP / 2, **large)
        middle_x, middle_y = x + self.grid_width / 2, y + self.grid_height / 2
        canvas.text(middle_x, y - self.source_word_up, self.source_word, va="bottom", **large)
        canvas.text(x - self.target_word_left, middle_y, self.target_word, ha="left", rotation=90, **large)
        if self.title:
            canvas.text(x, y - self.title_up, self.title, ha="left", va="bottom", **large)


class _Canvas:
    """A figure of a certain size, addressed in inches from its upper left corner."""

    def __init__(self, figure: "Figure", width: float, height: float):
        self.figure, self.width, self.height = figure, width, height
        figure.set_size_inches(width, height)
        figure.set_dpi(min(150, LARGEST / max(width, height)))

    def axes(self, x: float, y: float, w: float, h: float) -> Any:
        """New axes with their upper left corner at (x, y)."""
        return self.figure.add_axes((x / self.width, 1 - (y + h) / self.height, w / self.width, h / self.height))

    def text(self, x: float, y: float, text: str, ha: str = "center", va: str = "center", **style: Any) -> None:
        self.figure.text(x / self.width, 1 - y / self.height, text, ha=ha, va=va, **style)


def panels_figure(
    grid: Sequence[Sequence[Panel]], source_word: str = "source", target_word: str = "translation"
) -> tuple["Figure", str]:
    """A figure of panels in rows and columns, with the heat maps of each row and of each column in line.

    All weights share one scale, which the colour bar on the right shows.

    Args:
        grid: Rows of panels: a row a sentence, a column a run. A row may be shorter than others.
        source_word: Names the horizontal axis.
        target_word: Names the vertical axis.

    Returns:
        The figure, and the characters that no installed font can draw, shown as "□" (marks: left out).

    Raises:
        ValueError: There is no panel, or an empty row.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    panels = [panel for row in grid for panel in row]
    if not panels or not all(grid):
        raise ValueError(f"a grid has one panel or more in each row; here {[len(row) for row in grid]}")
    texts = [source_word, target_word]
    for panel in panels:
        texts += [panel.title, *panel.head_names, *readable(panel.source), *readable(panel.target)]
    longest = max(len(side) for panel in panels for side in (panel.source, panel.target))
    figure = Figure(dpi=150)
    pen = _Pen(figure, "".join(texts), fontsize=7 if longest > 30 else 9)
    num_columns = max(map(len, grid))
    shape = 1.5 * len(grid) / num_columns  # of a panel, for a picture of 3:2
    rows = [
        [_Layout(panel, pen, longest, num_columns, shape, (source_word, target_word)) for panel in row] for row in grid
    ]
    columns = [[row[c] for row in rows if c < len(row)] for c in range(num_columns)]

    def room(line: Sequence[_Layout], *parts: str) -> float:
        return sum(max(getattr(layout, part) for layout in line) for part in parts)

    xs, ys = [], []
    right = 0.0
    for column in columns:
        xs.append(right + room(column, "left"))
        bodies = [max(layout.grid_width + layout.right, layout.title_width) for layout in column]
        right = xs[-1] + max(bodies) + 3 * GAP
    bottom = 0.0
    for row in rows:
        ys.append(bottom + room(row, "above"))
        bottom = ys[-1] + room(row, "grid_height", "below") + 2 * GAP
    bottom -= GAP

    first, last = ys[0], ys[-1] + room(rows[-1], "grid_height")
    bar_height = min(max(last - first, 1.3), 3.0)  # room for the words beside it
    bar_top = (first + last - bar_height) / 2
    down = max(0.0, GAP - bar_top)  # the bar may be higher than all the rest
    canvas = _Canvas(figure, right + 0.75, down + max(bottom, bar_top + bar_height + GAP))
    scale = ScalarMappable(Normalize(0, darkest(panels)), "Blues")
    for r, row in enumerate(rows):
        for c, layout in enumerate(row):
            layout.draw(canvas, xs[c], down + ys[r], scale)
    bar = figure.colorbar(scale, cax=canvas.axes(right, down + bar_top, 0.12, bar_height))
    bar.set_label("attention weight", **pen.large)
    bar.ax.tick_params(labelsize=8, labelfontfamily="DejaVu Sans")
    bar.outline.set(color="0.4", linewidth=0.6)
    return figure, "".join(sorted(pen.undrawn))


def attention_figure(
    source: Sequence[str],
    target: Sequence[str],
    weights: Float[torch.Tensor | np.ndarray, "N T S"],
    title: str | None = None,
) -> tuple["Figure", str]:
    """The figure that `plot_attention` writes, and the characters that could not be drawn."""
    return panels_figure([[Panel(source, target, weights, title or "")]])


def plot_panels(
    grid: Sequence[Sequence[Panel]],
    path: str | Path,
    source_word: str = "source",
    target_word: str = "translation",
) -> str:
    """Write the figure that `panels_figure` makes of a grid of panels; returns the characters that it could not draw.

    Raises:
        UserError: The path ends otherwise than with .png or .svg, or the picture is too large for a PNG.
        ValueError: There is no panel, or an empty row.
        OSError: The file cannot be written.
    """
    require_picture_name(path)
    figure, missing = panels_figure(grid, source_word, target_word)
    if figure.dpi < SMALLEST_DPI and Path(path).suffix.lower() == ".png":
        width, height = figure.get_size_inches()
        raise UserError(
            f"{path}: {width:.0f} x {height:.0f} inches are too large for a .png with readable labels; "
            "draw fewer sentences, or write .svg"
        )
    write_picture(figure, path)
    return missing


def plot_attention(
    source: Sequence[str],
    target: Sequence[str],
    weights: Float[torch.Tensor | np.ndarray, "N T S"],
    path: str | Path,
    title: str | None = None,
) -> str:
    """Write a heat map of the attention `weights`: source pieces across, target pieces down, one panel a head.

    Args:
        source: Sentencepiece pieces, shown as `readable` says.
        target: Likewise.
        path: Ends with .png or .svg.

    Returns:
        The characters that no installed font can draw, shown as "□" (marks: left out); empty when all is well.

    Raises:
        UserError: The path has another suffix, or the picture is too large for a PNG.
        ValueError: The weights do not fit the pieces or are not finite.
        OSError: The file cannot be written.
    """
    return plot_panels([[Panel(source, target, weights, title or "")]], path)
