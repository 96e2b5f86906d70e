"""Checkpoints: everything that training needs to go on as if it had not stopped."""

import io
import json
import logging
import os
import platform
import zipfile
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from seq2seq.errors import ConfigError
from seq2seq.files import LEFTOVERS, remove, sync_folder, write_atomically, written_whole
from seq2seq.sharing.model_files import load_weights, save_weights
from seq2seq.training.state import Progress, TrainingState

log = logging.getLogger(__name__)

PROGRESS = TypeAdapter(Progress)


def save_checkpoint(folder: Path, state: TrainingState) -> None:
    """Write step_N whole under another name, rename it, point `latest` to it, and only then remove old ones.

    All processes take part, the first one writes.
    """
    on_cuda = state.device.type == "cuda"
    random = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state(state.device) if on_cuda else None}
    randoms = state.processes.gather(random)
    step, latest = state.progress.step, folder / "latest"
    final = folder / f"step_{step}"
    if not state.processes.is_main:
        return
    progress = json.dumps(asdict(state.progress), indent=2) + "\n"
    if latest.is_symlink() and latest.readlink().name == final.name:
        write_atomically(final / "progress.json", progress)  # since then there was a validation at most
        return
    with written_whole(final) as new:
        save_weights(state.model, new / "model.safetensors")
        if state.averaged is not None:
            save_weights(state.averaged, new / "averaged.safetensors")
        content = io.BytesIO()
        torch.save(
            {
                "optimizer": state.optimizer.state_dict(),
                "scaler": state.scaler.state_dict(),
                "random": randoms,
                "machine": describe_machine(state),
                "tokens_per_step": state.settings.batch_tokens * state.num_shares,
            },
            content,
        )
        write_atomically(new / "optimizer.pt", content.getvalue())
        write_atomically(new / "progress.json", progress)
    link = folder / ".latest.tmp"
    link.symlink_to(final.name)
    os.replace(link, latest)
    sync_folder(folder)
    steps = saved_steps(folder)
    # later ones are of a course not taken
    kept = sorted(number for number in steps if number <= step)[-state.settings.keep_checkpoints :]
    for number in steps.keys() - set(kept):
        remove(steps[number])


def saved_steps(folder: Path) -> dict[int, Path]:
    """The checkpoints of a run, whole ones all, by their steps."""
    names = {path: path.name.removeprefix("step_") for path in folder.glob("step_*") if not path.is_symlink()}
    return {int(number): path.resolve() for path, number in names.items() if number.isdecimal()}  # not a step_4.copy


def load_checkpoint(folder: Path, state: TrainingState) -> None:
    """Restore what `save_checkpoint` wrote to `latest`, random states included; remove what a kill left half-written.

    Raises:
        ConfigError: The checkpoint is damaged, and the message names the file and another checkpoint; or the batches
            would be others than those of the unbroken run.
    """
    latest = folder / "latest"
    if latest.resolve().parent != folder.resolve():
        raise ConfigError(
            f"{latest}: leads out of the folder, to {latest.resolve()}: make it point to a step_N beside it"
        )
    if state.processes.is_main:
        for leftover in sorted(folder.glob(LEFTOVERS)):
            log.info("removing what was half-written: %s", leftover.name)
            remove(leftover)
    try:
        load_weights(state.model, latest / "model.safetensors")
        if state.averaged is not None:
            average = latest / "averaged.safetensors"
            if not average.exists():  # the run had none so far: it starts from the weights
                average = latest / "model.safetensors"
            load_weights(state.averaged, average)
        saved = read_optimizer(latest / "optimizer.pt")
        progress = read_progress(latest / "progress.json")
        if latest.resolve().name != f"step_{progress.step}":
            raise ConfigError(f"progress.json is of step {progress.step}")
        state.optimizer.load_state_dict(saved["optimizer"])
        state.scaler.load_state_dict(saved["scaler"])
        for field in fields(Progress):
            setattr(state.progress, field.name, getattr(progress, field.name))
        machine, tokens_per_step = saved["machine"], saved["tokens_per_step"]
        restore_random_state(state, saved["random"])
    except Exception as error:  # torch and json raise several kinds for a damaged file
        others = [path.name for _, path in sorted(saved_steps(folder).items()) if path != latest.resolve()]
        hint = "there is no other: train in another folder; training.keep_checkpoints keeps more than one"
        if others:
            hint = f"another is {others[-1]}: make `latest` point to it (ln -sfn {others[-1]} {latest})"
        reason = str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
        reason = " ".join(reason.split())[:200]
        raise ConfigError(f"{latest.resolve()}: damaged checkpoint: {reason}; {hint}") from error
    require_tokens_per_step(state, tokens_per_step)
    for group in state.optimizer.param_groups:  # the moments are restored, the settings are the config's
        group.update({name: state.optimizer.defaults[name] for name in ("betas", "weight_decay")})
    now = describe_machine(state)
    for name in sorted(now):
        if machine.get(name) != now[name]:
            log.info(
                "resuming with another %s: %s then, %s now; rounding may differ", name, machine.get(name), now[name]
            )


def read_optimizer(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote besides weights and progress.

    Raises:
        ConfigError: It is damaged, be it by a single bit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is None:
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zipfile and torch raise several kinds, one of them pickle's
        raise ConfigError(f"{path.name} is not what training writes, or is cut short") from error
    raise ConfigError(f"{path.name} is not as it was written, by the checksum of its part {damaged}")


def read_progress(path: Path) -> Progress:
    """How far the run had come.

    Raises:
        ConfigError: A part is missing, or of another kind.
    """
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return PROGRESS.validate_python({field.name: saved[field.name] for field in fields(Progress)})
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(f"{path.name}: {problem['loc'][0]} is {problem['input']!r}") from error
    except (ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "msg", error)  # of JSON: without the place, in a file that nobody has written by hand
        raise ConfigError(f"{path.name}: {type(error).__name__}: {reason}") from error


def restore_random_state(state: TrainingState, randoms: list[dict[str, torch.Tensor | None]]) -> None:
    """Each process goes on with its own numbers; if there are more or fewer of them than before, with new ones."""
    if len(randoms) != state.processes.count:
        log.info(
            "resuming with %d processes instead of %d: the batches are the same, dropout is drawn anew",
            state.processes.count, len(randoms),
        )  # fmt: skip
        torch.manual_seed(state.settings.seed + (state.processes.rank << 32) + (state.progress.step << 48) % (1 << 63))
        return
    random = randoms[state.processes.rank]
    assert random["cpu"] is not None
    torch.set_rng_state(random["cpu"])
    if random["cuda"] is not None and state.device.type == "cuda":
        torch.cuda.set_rng_state(random["cuda"], state.device)


def require_tokens_per_step(state: TrainingState, before: int) -> None:
    """Check that a resumed run takes the batches of the unbroken one.

    Raises:
        ConfigError: The number of tokens a step has changed.
    """
    settings, count = state.settings, state.processes.count
    now = settings.batch_tokens * settings.accumulate * count
    if now != before:
        raise ConfigError(
            f"this run takes {before} tokens a step, but training.batch_tokens={settings.batch_tokens} x "
            f"training.accumulate={settings.accumulate} x {count} process{'es' * (count > 1)} is {now}: "
            "change one of them so that the product is as before"
        )


def describe_machine(state: TrainingState) -> dict[str, str]:
    """What decides the rounding of sums, and so whether a resumed run is bit for bit the unbroken one."""
    on_gpu = state.device.type == "cuda"
    described = {
        "torch": str(torch.__version__),
        "device": torch.cuda.get_device_name(state.device) if on_gpu else f"cpu ({platform.machine()})",
        "precision": str(state.precision).removeprefix("torch."),
        "number of threads": str(torch.get_num_threads()),
    }
    return described | ({"use of CUDA graphs": str(state.graphs is not None).lower()} if on_gpu else {})
