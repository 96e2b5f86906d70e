"""Checkpoints: everything that training needs to go on as if it had not stopped."""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from seq2seq.errors import ConfigError
from seq2seq.files import write_atomically
from seq2seq.inference.translator import load_weights, named_weights
from seq2seq.model.seq2seq import Seq2Seq


@dataclass
class Progress:
    """How far a run has come."""

    step: int = 0
    """Optimizer steps done."""
    epoch: int = 0
    batches_done: int = 0
    """Batches done in this epoch."""
    best_bleu: float = -1.0
    best_loss: float = float("inf")
    """Validation loss of the best model; decides between equal BLEU."""
    stale_validations: int = 0
    """Validations since the best one."""
    seconds: float = 0.0
    """Time spent training, validating and saving, over all sessions."""
    loss_sum: float = 0.0
    """Training loss in nats since the last record in metrics.jsonl, the target tokens and the time it took."""
    num_tokens: int = 0
    step_seconds: float = 0.0


def save_weights(model: Seq2Seq, path: Path) -> None:
    write_atomically(path, save({name: weight.contiguous() for name, weight in named_weights(model).items()}))


def save_checkpoint(
    folder: Path,
    model: Seq2Seq,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    progress: Progress,
    keep: int,
) -> None:
    """Write step_N whole under another name, rename it, point `latest` to it, and only then remove old ones."""
    final, temporary = folder / f"step_{progress.step}", folder / f".step_{progress.step}.tmp"
    for leftover in folder.glob(".*.tmp"):
        shutil.rmtree(leftover) if leftover.is_dir() and not leftover.is_symlink() else leftover.unlink()
    temporary.mkdir(parents=True)
    device = next(model.parameters()).device
    save_weights(model, temporary / "model.safetensors")
    state = {
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }
    with open(temporary / "optimizer.pt", "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    write_atomically(temporary / "progress.json", json.dumps(asdict(progress), indent=2) + "\n")
    shutil.rmtree(final, ignore_errors=True)
    os.rename(temporary, final)
    link = folder / ".latest.tmp"
    link.symlink_to(final.name)
    os.replace(link, folder / "latest")
    steps = {int(path.name.removeprefix("step_")): path for path in folder.glob("step_*")}
    kept = sorted(step for step in steps if step <= progress.step)[-keep:]  # later ones are of a course not taken
    for step in steps.keys() - set(kept):
        shutil.rmtree(steps[step])


def load_checkpoint(
    folder: Path, model: Seq2Seq, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> Progress:
    """Restore what `save_checkpoint` wrote to `latest`, random states included.

    Raises:
        ConfigError: There is no checkpoint, or it is damaged; the message names the file.
    """
    latest = folder / "latest"
    if not latest.exists():
        raise ConfigError(f"{folder}: no checkpoint to resume from; leave out --resume to start anew")
    load_weights(model, latest / "model.safetensors")
    path = latest / "optimizer.pt"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        progress = Progress(**json.loads((latest / "progress.json").read_text(encoding="utf-8")))
    except Exception as error:  # torch raises several kinds for a damaged file
        raise ConfigError(f"{latest.resolve()}: damaged checkpoint: {' '.join(str(error).split())[:200]}") from error
    optimizer.load_state_dict(state["optimizer"])
    for group in optimizer.param_groups:  # the moments are restored, the settings are the config's
        group.update({name: optimizer.defaults[name] for name in ("betas", "weight_decay")})
    scaler.load_state_dict(state["scaler"])
    torch.set_rng_state(state["random"])
    device = next(model.parameters()).device
    if state["random_cuda"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["random_cuda"], device)
    return progress
