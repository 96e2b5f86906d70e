"""The folder that a run leaves: opened once, checked before anything is computed."""

import fcntl
import logging
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from seq2seq.config import Config
from seq2seq.config_file import load_config, save_config
from seq2seq.errors import ConfigError
from seq2seq.model.seq2seq import Seq2Seq

log = logging.getLogger(__name__)

FIXED_AT_RESUME = (
    "data.source_language", "data.target_language", "data.train", "data.validation", "data.max_length", "tokenizer",
    "model", "training.seed", "training.batch_tokens", "training.precision", "training.optimizer",
)  # fmt: skip
"""Settings that decide what is learned and in which order; the others may change when a run is resumed."""
OURS = {"config.yaml", "train.log", "tokenizer", "metrics.jsonl", "learning_curves.png", "checkpoints"}
"""What a run that failed before its first checkpoint may have left."""


@contextmanager
def open_run(config: Config, run: Path, resume: bool) -> Iterator[list[str]]:
    """Make a run folder with its config.yaml, or check that a run can be resumed; keep other trainings out meanwhile.

    A folder in which training ended before its first checkpoint is started anew.

    Yields:
        The settings in which a resumed run differs from before, a line each.

    Raises:
        ConfigError: The folder holds another run, is in use, cannot be written, or was made with other settings; or no
            model can be built from the config.
    """
    with torch.device("meta"):
        Seq2Seq(config.model, source_vocabulary_size=8, target_vocabulary_size=8)
    names = {path.name for path in run.iterdir()} if run.is_dir() else set()
    changed = _changes(config, run) if resume else {}
    can_continue = (run / "checkpoints" / "latest").exists()
    started_before = "train.log" in names and names <= OURS and not can_continue
    if names and not resume and not started_before:
        hint = "continue the run there with --resume, or name another folder" if can_continue else "name another folder"
        raise ConfigError(f"{run}: not empty; {hint}")
    try:
        run.mkdir(parents=True, exist_ok=True)
        (run / "train.log").touch()
    except OSError as error:
        raise ConfigError(f"{run}: cannot make or write the run folder: {error.strerror}") from error
    with open(run / "train.log", "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"{run}: another training is running there") from error
        if not resume:
            for name in names - {"train.log"}:
                shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
        save_config(config, run / "config.yaml")
        yield list(changed.values())


def _changes(config: Config, run: Path) -> dict[str, str]:
    saved = run / "config.yaml"
    if not saved.exists():
        raise ConfigError(f"{run}: nothing to resume (it has no config.yaml); leave out --resume to start there")
    changed = differences(load_config(saved), config)
    refused = [line for key, line in changed.items() if key.startswith(FIXED_AT_RESUME)]
    if refused:
        raise ConfigError(f"{run}: cannot resume with other settings: {'; '.join(refused)}")
    return changed


def differences(old: Config, new: Config) -> dict[str, str]:
    """Dotted keys whose values differ, each with a line that says how."""

    def flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        flat = {}
        for key, value in settings.items():
            flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        return flat

    before, after = (flatten(config.model_dump(by_alias=True)) for config in (old, new))
    return {
        key: f"{key}: {before.get(key)!r} then, {after.get(key)!r} now"
        for key in before | after
        if before.get(key) != after.get(key)
    }


def log_environment(config: Config, changes: Sequence[str] = ()) -> None:
    """What another person needs to know to get the same run: versions, commit, machine, seed."""
    packages = ("torch", "sentencepiece", "sacrebleu", "safetensors", "numpy")
    log.info("seq2seq %s, commit %s", version("seq2seq-attention"), commit())
    log.info("Python %s, %s", platform.python_version(), ", ".join(f"{name} {version(name)}" for name in packages))
    log.info("%s, seed %d", platform.platform(), config.training.seed)
    for line in changes:
        log.info("resuming with another %s", line)


def commit() -> str:
    """The commit of the code that runs, with "-dirty" where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        folder = Path(__file__).parent
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)"
