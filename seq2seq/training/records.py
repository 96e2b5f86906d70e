"""What a run writes down as it goes: metrics.jsonl, one record a line; and the same for TensorBoard, if asked to."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seq2seq.files import write_atomically
from seq2seq.training.state import Progress
from seq2seq.training.tensorboard import TensorBoard

RECORD_EVERY = 50
"""Optimizer steps between training records."""


class Records:
    """The records of a run, which goes on from where `progress` says; what came after is forgotten."""

    def __init__(self, run: Path, progress: Progress, tensorboard: bool):
        self.path = run / "metrics.jsonl"
        drop_records_after(self.path, progress)
        self.board = TensorBoard(run, progress.step) if tensorboard else None

    def append(self, record: dict[str, Any]) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if self.board is not None:
            self.board.add(record)

    def append_training(self, progress: Progress, rate: float, norm: float, bar: tqdm) -> None:
        """Write down the mean over the steps since the last record, and begin the next."""
        if progress.num_tokens == 0:
            return  # every update was left out
        record = {
            "kind": "training", "step": progress.step, "epoch": progress.epoch,
            "loss": progress.loss_sum / progress.num_tokens, "learning_rate": rate,
            "tokens_per_second": progress.num_tokens / progress.step_seconds, "gradient_norm": norm,
            "seconds": progress.seconds,
        }  # fmt: skip
        self.append(record)
        bar.set_postfix(loss=f"{record['loss']:.3f}", tokens_per_second=f"{record['tokens_per_second']:.0f}")
        progress.loss_sum, progress.num_tokens, progress.step_seconds = 0.0, 0, 0.0

    def close(self) -> None:
        if self.board is not None:
            self.board.close()


def drop_records_after(path: Path, progress: Progress) -> None:
    """Forget what an interrupted session recorded past its last checkpoint, for those steps are taken again; and what
    is no record."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):  # cut by a kill, or edited
            record = json.loads(line)
            to_come = progress.validation_due and record.get("kind") == "validation"
            if record["step"] < progress.step or (record["step"] == progress.step and not to_come):
                kept.append(line + "\n")
    write_atomically(path, "".join(kept))
