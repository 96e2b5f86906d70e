"""What a run writes down, for TensorBoard to draw."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.errors import ConfigError
from seq2seq.visualization.panels import Panel
from seq2seq.visualization.plots import panels_figure

if TYPE_CHECKING:
    from seq2seq.inference.translator import Translation


def require_tensorboard() -> None:
    """Check that it is installed: it is an extra.

    Raises:
        ConfigError: It is not.
    """
    if find_spec("tensorboard") is None:
        raise ConfigError(
            "training.tensorboard=true needs a package that is not installed: "
            "pip install 'seq2seq-attention[tensorboard]'"
        )


class TensorBoard:
    """Events in the run's folder `tensorboard`; a resumed run takes back those after its checkpoint."""

    def __init__(self, run: Path, step: int):
        from accelerate.tracking import TensorBoardTracker

        self._tracker = TensorBoardTracker("tensorboard", run, purge_step=step + 1)
        self._tracker.start()

    def add(self, record: dict[str, Any]) -> None:
        """Draw a record of metrics.jsonl as points of curves named training/loss, validation/bleu, ..."""
        kind, step = record["kind"], record["step"]
        values = {f"{kind}/{name}": value for name, value in record.items() if name not in ("kind", "step", "seconds")}
        self._tracker.log(values, step)

    def show(self, step: int, read: Sequence["Translation"]) -> None:
        """A picture of what the model looks at in each of some sentences, in the place of the last one."""
        pictures = {}
        for number, result in enumerate(read, start=1):
            if result.weights.numel():
                pictures[f"attention/sentence {number}"] = draw(
                    Panel(result.source_tokens, result.tokens, result.weights)
                )
        self._tracker.log_images(pictures, step, dataformats="NHWC")

    def close(self) -> None:
        self._tracker.finish()


def draw(panel: Panel) -> np.ndarray:
    """One picture, [1, height, width, RGB]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure, _ = panels_figure([[panel]], target_word="reference")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[None, :, :, :3]
