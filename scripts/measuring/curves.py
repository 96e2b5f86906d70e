"""Memory over time as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq.visualization.plots import write_picture


def draw_memory(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, path: Path) -> None:
    """One line a curve, from its seconds and its MiB."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), dpi=150, layout="constrained")
    axes = figure.subplots()
    for (name, (seconds, mebibytes)), style in zip(curves.items(), ("-", "--"), strict=False):
        axes.plot(seconds, mebibytes, style, label=name)
    axes.set(xlabel="seconds", ylabel="MiB", title=title, ylim=0, xlim=0)
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    write_picture(figure, path)
