"""The folder that a run leaves: opened once, checked before anything is computed."""

import fcntl
import logging
import platform
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seq2seq.config import Config
from seq2seq.config_file import load_config, save_config
from seq2seq.errors import ConfigError, UserError
from seq2seq.files import LEFTOVERS, remove, require_unicode_name
from seq2seq.model.seq2seq import Seq2Seq

log = logging.getLogger(__name__)

FIXED_AT_RESUME = (
    "data.source_language", "data.target_language", "data.max_length", "data.streaming", "data.shuffle_buffer",
    "tokenizer", "model", "training.seed", "training.start_from", "training.precision", "training.optimizer",
)  # fmt: skip
"""Settings that decide what is learned and in which order; the others may change when a run is resumed. Of the corpora
the content is compared (data.json), not the place; of training.batch_tokens the tokens a step that come of it."""
OURS = {
    "config.yaml",
    "train.log",
    "tokenizer",
    "lexicon.safetensors",
    "data.json",
    "metrics.jsonl",
    "learning_curves.png",
    "checkpoints",
    "tensorboard",
}
"""What a run that ended before its first checkpoint may have left: no model, for the first is saved after it."""


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
    Seq2Seq(config.model, source_vocabulary_size=8, target_vocabulary_size=8)  # the meta device takes seconds to import
    require_unicode_name(run)
    _check_usable(run, resume)
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = open(run / "train.log", "a", encoding="utf-8")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise ConfigError(f"{run}: cannot make or write the run folder: {error.strerror}; name another") from error
    with lock, disk_errors_named(run):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"{run}: another training is running there; wait for it, or name another folder"
            ) from error
        _check_usable(run, resume)  # again: another training may have ended just now
        changed = _changes(config, run) if resume else {}
        for leftover in (*run.glob(LEFTOVERS), *(run / "best").glob(LEFTOVERS)):
            remove(leftover)
        if not has_checkpoint(run):
            for path in set(run.iterdir()) - {run / "train.log"}:
                remove(path)
        (run / "checkpoints").mkdir(exist_ok=True)
        save_config(config, run / "config.yaml")
        yield list(changed.values())


def has_checkpoint(run: Path) -> bool:
    return (run / "checkpoints" / "latest").exists()


def _check_usable(run: Path, resume: bool) -> None:
    """Refuse to train in a folder that holds something else, or a run that goes on only if asked to."""
    names = {path.name for path in run.iterdir() if not path.match(LEFTOVERS)} if run.is_dir() else set()
    latest = run / "checkpoints" / "latest"
    if latest.is_symlink() and not latest.exists():
        raise ConfigError(
            f"{run}: checkpoints/latest points to {latest.readlink()}, which is gone: make it point to another, "
            "if there is one, or name another folder"
        )
    if has_checkpoint(run):
        if not resume:
            last = (run / "checkpoints" / "latest").resolve().name
            raise ConfigError(
                f"{run}: not empty; it holds a run with a checkpoint ({last}): "
                "continue the run there with --resume, or name another folder"
            )
        return
    if "train.log" in names and names <= OURS:
        return
    if resume:
        raise ConfigError(f"{run}: nothing to resume (it holds no checkpoint); leave out --resume to start anew")
    if names:
        raise ConfigError(f"{run}: not empty; name another folder")


@contextmanager
def disk_errors_named(run: Path) -> Iterator[None]:
    """Turn a full disk, or a folder that can no longer be written, into one line.

    Raises:
        UserError: What could not be written, why, and from where the run can go on.
    """
    try:
        yield
    except OSError as error:
        path = error.filename or run
        if isinstance(error, ConnectionError) or run not in (Path(str(path)), *Path(str(path)).parents):
            raise
        last = (run / "checkpoints" / "latest").resolve().name
        hint = f"; {last} is intact: mend this and continue with --resume" if has_checkpoint(run) else ""
        raise UserError(f"{path}: cannot write: {error.strerror or error}{hint}") from error


def _changes(config: Config, run: Path) -> dict[str, str]:
    saved = run / "config.yaml"
    if not saved.exists():
        if has_checkpoint(run):
            raise ConfigError(f"{run}: has checkpoints but no config.yaml: put it back, or name another folder")
        return {}
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
    packages = ("torch", "accelerate", "datasets", "sentencepiece", "sacrebleu", "safetensors", "numpy")
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
