"""The picture of what several settings look at."""

from collections.abc import Mapping
from pathlib import Path

import torch

from compare.measures import Example
from seq2seq.visualization.panels import Panel
from seq2seq.visualization.plots import plot_panels

PER_ROW = 4
"""Settings side by side in the picture of their attention."""


def plot_examples(examples: Mapping[str, Example], folder: Path) -> list[str]:
    """The attention of several settings for the comparison's sentence.

    attention.png has those of one head side by side, attention-NAME.png one of several heads.

    Returns:
        The names of the pictures.
    """
    panels = {
        name: Panel(example.source_tokens, example.tokens, torch.tensor(example.weights), name)
        for name, example in examples.items()
    }
    single = [panel for panel in panels.values() if len(panel.weights) == 1]
    grids = {f"attention-{name}.png": [[panel]] for name, panel in panels.items() if len(panel.weights) > 1}
    if single:
        rows = [single[start : start + PER_ROW] for start in range(0, len(single), PER_ROW)]
        grids = {"attention.png": rows} | grids
    for name, grid in grids.items():
        plot_panels(grid, folder / name)
    return list(grids)
