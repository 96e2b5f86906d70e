"""Checkpoints: everything that training needs to go on as if it had not stopped."""

import io
import json
import logging
import os
import platform
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors.torch import save

from seq2seq.errors import ConfigError
from seq2seq.files import LEFTOVERS, remove, sync_folder, write_atomically, written_whole
from seq2seq.inference.translator import load_weights, named_weights
from seq2seq.model.seq2seq import Seq2Seq

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far a run has come."""

    step: int = 0
    """Optimizer steps done."""
    epoch: int = 0
    batches_done: int = 0
    """Batches done in this epoch."""
    validation_due: bool = False
    """The step's validation is still to come: a signal interrupted it."""
    best_bleu: float = -1.0
    best_loss: float = float("inf")
    """Validation loss of the best model; decides between equal BLEU."""
    stale_validations: int = 0
    """Validations since the best one."""
    skipped_steps: int = 0
    """Updates left out because the loss or the gradient was not finite."""
    seconds: float = 0.0
    """Time spent training, validating and saving, over all sessions."""
    loss_sum: float = 0.0
    """Training loss in nats since the last record in metrics.jsonl, the target tokens and the time it took."""
    num_tokens: int = 0
    step_seconds: float = 0.0


@dataclass
class TrainingState:
    """What a training step works on."""

    model: Seq2Seq
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    precision: torch.dtype
    progress: Progress

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device


def save_weights(model: Seq2Seq, path: Path) -> None:
    write_atomically(path, save({name: weight.contiguous() for name, weight in named_weights(model).items()}))


def save_checkpoint(folder: Path, state: TrainingState, keep: int) -> None:
    """Write step_N whole under another name, rename it, point `latest` to it, and only then remove old ones."""
    step, latest = state.progress.step, folder / "latest"
    final = folder / f"step_{step}"
    if latest.is_symlink() and latest.readlink().name == final.name:
        return  # it stands: a signal came before another step
    for leftover in folder.glob(LEFTOVERS):
        remove(leftover)
    with written_whole(final) as new:
        save_weights(state.model, new / "model.safetensors")
        content = io.BytesIO()
        torch.save(
            {
                "optimizer": state.optimizer.state_dict(),
                "scaler": state.scaler.state_dict(),
                "random": torch.get_rng_state(),
                "random_cuda": torch.cuda.get_rng_state(state.device) if state.device.type == "cuda" else None,
                "machine": describe_machine(state.device, state.precision),
            },
            content,
        )
        write_atomically(new / "optimizer.pt", content.getvalue())
        write_atomically(new / "progress.json", json.dumps(asdict(state.progress), indent=2) + "\n")
    link = folder / ".latest.tmp"
    link.symlink_to(final.name)
    os.replace(link, latest)
    sync_folder(folder)
    steps = saved_steps(folder)
    kept = sorted(number for number in steps if number <= step)[-keep:]  # later ones are of a course not taken
    for number in steps.keys() - set(kept):
        remove(steps[number])


def saved_steps(folder: Path) -> dict[int, Path]:
    """The checkpoints of a run, whole ones all, by their steps."""
    return {int(path.name.removeprefix("step_")): path.resolve() for path in folder.glob("step_*")}


def load_checkpoint(folder: Path, state: TrainingState) -> None:
    """Restore what `save_checkpoint` wrote to `latest`, random states included.

    Raises:
        ConfigError: The checkpoint is damaged; the message names the file and the other checkpoints.
    """
    latest = folder / "latest"
    for leftover in sorted(folder.glob(LEFTOVERS)):
        log.info("ignoring what was half-written: %s", leftover.name)
    try:
        load_weights(state.model, latest / "model.safetensors")
        saved = torch.load(latest / "optimizer.pt", map_location="cpu", weights_only=True)
        progress = json.loads((latest / "progress.json").read_text(encoding="utf-8"))
        state.optimizer.load_state_dict(saved["optimizer"])
        state.scaler.load_state_dict(saved["scaler"])
        torch.set_rng_state(saved["random"])
        if saved["random_cuda"] is not None and state.device.type == "cuda":
            torch.cuda.set_rng_state(saved["random_cuda"], state.device)
        for field in fields(Progress):
            setattr(state.progress, field.name, progress[field.name])
        machine = saved["machine"]
    except Exception as error:  # torch and json raise several kinds for a damaged file
        others = [path.name for _, path in sorted(saved_steps(folder).items()) if path != latest.resolve()]
        hint = f"; another is {others[-1]}: make `latest` point to it" if others else ""
        reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"{latest.resolve()}: damaged checkpoint: {' '.join(reason.split())[:200]}{hint}") from error
    for group in state.optimizer.param_groups:  # the moments are restored, the settings are the config's
        group.update({name: state.optimizer.defaults[name] for name in ("betas", "weight_decay")})
    now = describe_machine(state.device, state.precision)
    for name in sorted(now):
        if machine.get(name) != now[name]:
            log.info(
                "resuming with another %s: %s then, %s now; rounding may differ", name, machine.get(name), now[name]
            )


def describe_machine(device: torch.device, precision: torch.dtype) -> dict[str, str]:
    """What decides the rounding of sums, and so whether a resumed run is bit for bit the unbroken one."""
    return {
        "torch": str(torch.__version__),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})",
        "precision": str(precision).removeprefix("torch."),
        "number of threads": str(torch.get_num_threads()),
    }
