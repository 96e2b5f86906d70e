"""Attention as text for a terminal: shaded blocks."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from seq2seq.visualization.labels import display_width, fit, left_to_right, readable, stacked
from seq2seq.visualization.panels import Panel, darkest

SHADES = " ░▒▓█"


def draw_panels(panels: Sequence[Panel], width: int) -> str:
    """Several panels for a terminal `width` columns wide, one below the other, in the same shades.

    Raises:
        ValueError: There is no panel.
    """
    scale = darkest(panels)
    blocks = []
    for panel in panels:
        if panel.title:
            blocks.append(left_to_right(panel.title))
        for name, weights in zip(panel.head_names or [""], panel.weights, strict=True):
            drawing = _draw(readable(panel.source), readable(panel.target), weights, scale, width)
            blocks.append(f"{name}\n{drawing}" if name else drawing)
    steps = [(k - 0.5) / (len(SHADES) - 1) * scale for k in range(1, len(SHADES))]
    legend = "  ".join(f"{shade} from {step:.2f}" for shade, step in zip(SHADES[1:], steps, strict=True))
    return "\n\n".join([*blocks, legend])


def draw_attention(
    source: Sequence[str], target: Sequence[str], weights: Float[torch.Tensor | np.ndarray, "T S"], width: int
) -> str:
    """The attention `weights` as text for a terminal `width` columns wide.

    Source labels run downwards above their columns. To the right of each row stand the source piece with the highest
    weight and that weight. A source too wide for the terminal is drawn as several blocks, one below the other.

    Raises:
        ValueError: The weights do not fit the pieces or are not finite.
    """
    return draw_panels([Panel(source, target, weights[None])], width)


def _draw(columns: list[str], rows: list[str], weights: np.ndarray, scale: float, width: int) -> str:
    best = weights.argmax(-1)

    def widest(labels: Sequence[str]) -> int:
        return min(max(map(display_width, labels)), max(width // 5, 4))

    left, right = widest(rows), widest([columns[s] for s in best])
    fitting = max((width - left - right - 9) // 2, 1)  # 9: two frames with their spaces, and the number
    per_block = math.ceil(len(columns) / math.ceil(len(columns) / fitting))
    shades = np.rint(np.clip(weights / scale, 0, 1) * (len(SHADES) - 1)).astype(int)

    blocks = []
    for start in range(0, len(columns), per_block):
        lines = []
        stacks = [stacked(label) for label in columns[start : start + per_block]]
        height = max(map(len, stacks))
        for level in range(height):
            cells = [stack[level - height] if len(stack) >= height - level else "  " for stack in stacks]
            lines.append(" " * (left + 2) + "".join(map(left_to_right, cells)) + " " * (right + 7))
        for t, label in enumerate(rows):
            cells = [SHADES[shade] * 2 for shade in shades[t, start : start + per_block]]
            value = f"{left_to_right(fit(columns[best[t]], right))} {weights[t, best[t]]:.2f}"
            lines.append(f"{left_to_right(fit(label, left))} │{''.join(cells)}│ {value}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
