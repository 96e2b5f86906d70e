"""Attention as a picture: a heat map (PNG or SVG) for a page, shaded blocks for a terminal."""

import io
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
from seq2seq.files import write_atomically
from seq2seq.inference.labels import MARKS, display_width, fit, fonts_for, readable, stacked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
UNKNOWN = "□"  # drawn in place of a character that no installed font has
SHADES = " ░▒▓█"


def _checked(source: Sequence[str], target: Sequence[str], weights: torch.Tensor | np.ndarray) -> np.ndarray:
    array = torch.as_tensor(weights).detach().float().cpu().numpy()
    if array.shape[-2:] != (len(target), len(source)) or array.size == 0:
        raise ValueError(
            f"weights have shape {tuple(array.shape)}, but there are {len(target)} target and {len(source)} source "
            "pieces; accepted: [..., target, source], none of them empty"
        )
    if not np.isfinite(array).all():
        raise ValueError("weights have values that are not finite")
    return array


def _scale(weights: np.ndarray) -> float:
    """The weight drawn darkest: the largest one, but at least 0.5, so that spread-out attention looks spread out."""
    return max(float(weights.max()), 0.5)


def attention_figure(
    source: Sequence[str],
    target: Sequence[str],
    weights: Float[torch.Tensor | np.ndarray, "N T S"],
    title: str | None = None,
) -> tuple["Figure", str]:
    """The figure that `plot_attention` writes, and the characters that could not be drawn."""
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    array = _checked(source, target, weights)
    num_heads, num_targets, num_sources = array.shape
    columns, rows, title = readable(source), readable(target), title or ""
    families, missing = fonts_for("".join([*columns, *rows, *title]))

    # The layout is counted in inches, from the measured size of every label: nothing can overlap or be cut.
    figure = Figure(dpi=150)
    small = max(num_sources, num_targets) > 30
    font: dict[str, Any] = {"family": families, "fontsize": 7 if small else 9, "parse_math": False}
    large: dict[str, Any] = font | {"fontsize": 10}

    def measure(labels: Sequence[str], style: dict) -> tuple[float, float]:
        """The width of the widest and the height of the tallest of `labels`, in inches."""
        boxes = [Text(0, 0, label, figure=figure, **style).get_window_extent() for label in labels]
        return max(b.width for b in boxes) / figure.dpi, max(b.height for b in boxes) / figure.dpi

    def drawable(label: str) -> str:
        """`label` with "□" for what no font has, and without marks that no font has together with their letter."""
        label = "".join(c if c not in missing else "" if unicodedata.category(c) in MARKS else UNKNOWN for c in label)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Glyph .* missing from font")
            try:
                measure([label], font)
            except UserWarning:
                undrawn.update(c for c in label if unicodedata.category(c) in MARKS)
                label = "".join(c for c in label if unicodedata.category(c) not in MARKS)
        return label

    undrawn = set(missing)
    columns, rows, title = [drawable(c) for c in columns], [drawable(r) for r in rows], drawable(title)

    gap = 0.08
    column_width, column_height = measure(columns, font)
    row_width, row_height = measure(rows, font)
    word, line = measure(["source"], large)

    side = max(column_height, row_height) + 0.03
    if not small:
        side = max(side, 0.42 - 0.008 * max(num_sources, num_targets))
    cell_width = max(side, column_width + gap)
    upright = cell_width <= max(side, 0.7) and cell_width * num_sources <= 6
    if not upright:
        cell_width = side
    width, height = cell_width * num_sources, side * num_targets

    def ragged(num: int) -> float:
        """How far a grid with `num` panels a row is from a 3:2 picture without holes."""
        lines = math.ceil(num_heads / num)
        return abs(math.log(num * width / (lines * height) / 1.5)) + (num * lines - num_heads) / num_heads

    per_row = min(range(1, num_heads + 1), key=ragged)
    num_rows = math.ceil(num_heads / per_row)
    head_width, head_height = measure([f"head {num_heads}"], large)
    if num_heads == 1:
        head_width, head_height = 0.0, 0.0
    step_x, step_y = max(width, head_width) + 2 * gap, height + head_height + 3 * gap
    grid_width, grid_height = step_x * (per_row - 1) + width, step_y * (num_rows - 1) + height

    bar_height = min(max(grid_height, 1.3), 3.0)  # room for the words beside it
    spill = max(0.0, (bar_height - grid_height) / 2)
    left = gap + line + gap + row_width + gap
    above = (column_height if upright else column_width) + 2 * gap + line + gap
    bar_left = left + grid_width + max(0.0, max(head_width, word) - width) / 2 + 2 * gap
    total_width = bar_left + 0.75
    if title:
        title = textwrap.fill(title, max(20, int(total_width / 0.085)))
        title_width, title_height = measure([title], large)
        total_width = max(total_width, title_width + 2 * gap)
        above += title_height + gap
    top = max(above, spill + gap)
    total_height = top + grid_height + max(head_height + 2 * gap, spill + gap)
    figure.set_size_inches(total_width, total_height)
    figure.set_dpi(min(150, 12000 / max(total_width, total_height)))  # a picture that fits in memory

    def place(x: float, y: float, w: float, h: float):
        """New axes with their upper left corner `x` inches from the left and `y` inches from the top."""
        return figure.add_axes((x / total_width, 1 - (y + h) / total_height, w / total_width, h / total_height))

    mesh = None
    for head in range(num_heads):
        row, column = divmod(head, per_row)
        axes = place(left + column * step_x, top + row * step_y, width, height)
        mesh = axes.pcolormesh(array[head], cmap="Blues", vmin=0, vmax=_scale(array), edgecolors="0.88", linewidth=0.4)
        axes.invert_yaxis()
        axes.spines[:].set(color="0.4", linewidth=0.6)
        axes.tick_params(length=0, pad=72 * gap / 2, top=True, labeltop=True, bottom=False, labelbottom=False)
        axes.set_xticks([])
        axes.set_yticks([])
        if row == 0:
            turn = {} if upright else {"rotation": 90}
            axes.set_xticks(np.arange(num_sources) + 0.5, columns, ha="center", va="bottom", **turn, **font)
        if column == 0:
            axes.set_yticks(np.arange(num_targets) + 0.5, rows, ha="right", va="center", **font)
        if num_heads > 1:
            axes.set_xlabel(f"head {head + 1}", labelpad=72 * gap / 2, **large)

    assert mesh is not None
    bar = figure.colorbar(mesh, cax=place(bar_left, top + (grid_height - bar_height) / 2, 0.12, bar_height))
    bar.set_label("attention weight", **large)
    bar.ax.tick_params(labelsize=8, labelfontfamily="DejaVu Sans")
    bar.outline.set(color="0.4", linewidth=0.6)
    middle_x, middle_y = (left + grid_width / 2) / total_width, 1 - (top + grid_height / 2) / total_height
    source_y = 1 - (top - (column_height if upright else column_width) - 2 * gap) / total_height
    figure.text(middle_x, source_y, "source", ha="center", va="bottom", **large)
    figure.text(gap / total_width, middle_y, "translation", ha="left", va="center", rotation=90, **large)
    if title:
        figure.text(0.5, 1 - gap / total_height, title, ha="center", va="top", **large)
    return figure, "".join(sorted(undrawn))


def require_picture_name(path: str | Path) -> None:
    """Check that a name ends as a picture's does.

    Raises:
        UserError: It ends otherwise.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: a picture's name ends with {' or '.join(SUFFIXES)}")


def write_picture(figure: "Figure", path: str | Path) -> None:
    """Write `figure` as PNG or SVG, by the suffix of `path`; the file appears whole or not at all."""
    require_picture_name(path)
    content = io.BytesIO()
    figure.savefig(content, format=Path(path).suffix[1:].lower())
    write_atomically(path, content.getvalue())


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
        UserError: The path has another suffix.
        ValueError: The weights do not fit the pieces or are not finite.
        OSError: The file cannot be written.
    """
    figure, missing = attention_figure(source, target, weights, title)
    write_picture(figure, path)
    return missing


def draw_attention(
    source: Sequence[str], target: Sequence[str], weights: Float[torch.Tensor | np.ndarray, "T S"], width: int
) -> str:
    """The attention `weights` as text for a terminal `width` columns wide.

    Source labels run downwards above their columns. To the right of each row stand the source piece with the highest
    weight and that weight. A source too wide for the terminal is drawn as several blocks, one below the other.

    Raises:
        ValueError: The weights do not fit the pieces or are not finite.
    """
    array = _checked(source, target, weights)
    columns, rows = readable(source), readable(target)
    best = array.argmax(-1)

    def widest(labels: Sequence[str]) -> int:
        return min(max(map(display_width, labels)), max(width // 5, 4))

    left, right = widest(rows), widest([columns[s] for s in best])
    fitting = max((width - left - right - 9) // 2, 1)  # 9: two frames with their spaces, and the number
    per_block = math.ceil(len(source) / math.ceil(len(source) / fitting))
    shades = np.rint(np.clip(array / _scale(array), 0, 1) * (len(SHADES) - 1)).astype(int)

    lines = []
    for start in range(0, len(source), per_block):
        stacks = [stacked(label) for label in columns[start : start + per_block]]
        height = max(map(len, stacks))
        for level in range(height):
            cells = [stack[level - height] if len(stack) >= height - level else "  " for stack in stacks]
            lines.append(" " * (left + 2) + "".join(cells) + " " * (right + 7))
        for t, label in enumerate(rows):
            cells = [SHADES[shade] * 2 for shade in shades[t, start : start + per_block]]
            value = f"{fit(columns[best[t]], right)} {array[t, best[t]]:.2f}"
            lines.append(f"{fit(label, left)} │{''.join(cells)}│ {value}")
        lines.append("")
    steps = [(k - 0.5) / (len(SHADES) - 1) * _scale(array) for k in range(1, len(SHADES))]
    lines.append("  ".join(f"{shade} from {step:.2f}" for shade, step in zip(SHADES[1:], steps, strict=True)))
    return "\n".join(lines)
