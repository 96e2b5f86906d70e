"""Learning curves: the run's metrics.jsonl as a picture."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.errors import UserError
from seq2seq.visualization.plots import write_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def read_metrics(path: str | Path) -> dict[str, list[dict[str, Any]]]:
    """The records of each kind by step. Of two for one step (a run resumed from before it) the later one counts.

    Raises:
        UserError: A line is no record. The last line may be: the run was killed while it wrote.
    """
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    kinds: dict[str, dict[int, dict[str, Any]]] = {"training": {}, "validation": {}}
    for number, line in enumerate(lines, start=1):
        record = _parse(line)
        if record is not None:
            kinds[record["kind"]][record["step"]] = record
        elif number < len(lines):
            raise UserError(f"{path}: line {number}: not a record of a run: {line[:80]!r}: delete the line")
    return {kind: [records[step] for step in sorted(records)] for kind, records in kinds.items()}


NUMBERS = {"training": ("loss",), "validation": ("loss", "bleu", "chrf")}
"""What a record of each kind has at least, besides its step."""


def _parse(line: str) -> dict[str, Any] | None:
    """A line of metrics.jsonl; None if it is no record of a run."""
    try:
        record = json.loads(line)
        names = NUMBERS[record["kind"]]
        is_record = type(record["step"]) is int and all(type(record[name]) in (int, float) for name in names)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if is_record else None


def curves_figure(metrics: dict[str, list[dict[str, Any]]]) -> "Figure":
    """Loss over optimizer steps on the left; validation BLEU and chrF on the right, with the best BLEU marked."""
    from matplotlib.figure import Figure

    def column(kind: str, key: str) -> list[int | float]:
        return [record[key] for record in metrics[kind]]

    figure = Figure(figsize=(10, 4), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    left.set_xlim(0, 1.02 * max([1, *column("training", "step"), *column("validation", "step")]))
    for axes in (left, right):
        axes.set_xlabel("optimizer steps")
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    marker = {"marker": "o", "markersize": 3}

    left.set_ylabel("loss per target token (nats)")
    if metrics["training"]:
        left.plot(
            column("training", "step"),
            column("training", "loss"),
            color="C0",
            linewidth=1,
            label="training, as optimized",
        )
    steps = column("validation", "step")
    if steps:
        left.plot(steps, column("validation", "loss"), "--", color="C1", label="validation", **marker)
    if metrics["training"] or steps:
        left.legend(frameon=False)

    right.set_ylabel("validation score (0 to 100)")
    if not steps:
        right.set_yticks([])
        right.text(0.5, 0.5, "no validation yet", transform=right.transAxes, ha="center", va="center", color="0.4")
        return figure
    bleu = column("validation", "bleu")
    best = max(range(len(bleu)), key=bleu.__getitem__)
    right.plot(steps, column("validation", "chrf"), "--", color="C1", label="chrF", **marker)
    right.plot(steps, bleu, color="C0", label="BLEU", **marker)
    name = f"best BLEU: {bleu[best]:.2f} at step {steps[best]:,}"  # in the legend, where no curve can cross it
    right.plot(steps[best], bleu[best], "o", color="C0", markersize=9, markerfacecolor="none", label=name)
    right.set_ylim(bottom=0)
    right.legend(frameon=False)
    return figure


def plot_curves(metrics_path: str | Path, picture_path: str | Path) -> None:
    """Draw the learning curves of a run, so far as it has come.

    Args:
        metrics_path: The run's metrics.jsonl.
        picture_path: Ends with .png or .svg.

    Raises:
        UserError: The picture's name has another suffix, or a line of the metrics is no record.
        OSError: A file cannot be read or written.
    """
    write_picture(curves_figure(read_metrics(metrics_path)), picture_path)
