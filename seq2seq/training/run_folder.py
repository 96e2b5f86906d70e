"""The folder that a run leaves: opened once, checked before anything is computed."""

import logging
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from seq2seq.config import Config, load_config, save_config
from seq2seq.errors import ConfigError
from seq2seq.model.seq2seq import Seq2Seq

log = logging.getLogger(__name__)

FIXED_AT_RESUME = ("data", "tokenizer", "model", "training.seed", "training.batch_tokens", "training.precision")
"""Settings that decide which sums are computed; the others may change when a run is resumed."""


def open_run(config: Config, run: Path, resume: bool) -> None:
    """Create a run folder and its config.yaml, or check that a run can be resumed with this config.

    Raises:
        ConfigError: The folder holds another run, cannot be written, or was made with other settings; or no model can
            be built from the config.
    """
    with torch.device("meta"):
        Seq2Seq(config.model, source_vocabulary_size=8, target_vocabulary_size=8)
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{run}: cannot make the run folder: {error.strerror}") from error
    saved = run / "config.yaml"
    if resume:
        if not saved.exists():
            raise ConfigError(f"{run}: nothing to resume (it has no config.yaml); leave out --resume to start there")
        changed = differences(load_config(saved), config)
        refused = [line for key, line in changed.items() if key.startswith(FIXED_AT_RESUME)]
        if refused:
            raise ConfigError(f"{run}: cannot resume with other settings: {'; '.join(refused)}")
        for line in changed.values():
            log.info("resuming with another %s", line)
    elif any(run.iterdir()):
        raise ConfigError(f"{run}: not empty; continue the run there with --resume, or name another folder")
    try:
        save_config(config, saved)
    except OSError as error:
        raise ConfigError(f"{run}: cannot write to the run folder: {error.strerror}") from error


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


def log_environment(config: Config) -> None:
    """What another person needs to know to get the same run: versions, commit, machine, seed."""
    packages = ("torch", "sentencepiece", "sacrebleu", "safetensors", "numpy")
    log.info("seq2seq %s, commit %s", version("seq2seq-attention"), _commit())
    log.info("Python %s, %s", platform.python_version(), ", ".join(f"{name} {version(name)}" for name in packages))
    log.info("%s, seed %d", platform.platform(), config.training.seed)


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        folder = Path(__file__).parent
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)"
