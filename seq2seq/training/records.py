"""What a run writes down as it goes: metrics.jsonl, one record a line."""

import json
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from seq2seq.files import write_atomically
from seq2seq.training.state import Progress

RECORD_EVERY = 50
"""Optimizer steps between training records in metrics.jsonl."""


def record_training(run: Path, progress: Progress, rate: float, norm: float, bar: tqdm) -> None:
    """Write down the mean over the steps since the last record, and begin the next."""
    if progress.num_tokens == 0:
        return  # every update was left out
    record = {
        "kind": "training", "step": progress.step, "epoch": progress.epoch,
        "loss": progress.loss_sum / progress.num_tokens, "learning_rate": rate,
        "tokens_per_second": progress.num_tokens / progress.step_seconds, "gradient_norm": norm,
        "seconds": progress.seconds,
    }  # fmt: skip
    append_record(run, record)
    bar.set_postfix(loss=f"{record['loss']:.3f}", tokens_per_second=f"{record['tokens_per_second']:.0f}")
    progress.loss_sum, progress.num_tokens, progress.step_seconds = 0.0, 0, 0.0


def append_record(run: Path, record: dict) -> None:
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def drop_records_after(path: Path, progress: Progress) -> None:
    """Forget what an interrupted session recorded past its last checkpoint: those steps are taken again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with suppress(json.JSONDecodeError):  # a line that a kill cut short
            record = json.loads(line)
            to_come = progress.validation_due and record.get("kind") == "validation"
            if record["step"] < progress.step or (record["step"] == progress.step and not to_come):
                kept.append(line + "\n")
    write_atomically(path, "".join(kept))
