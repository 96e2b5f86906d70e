"""Model folders: which files a model is on the disk, and what they say of it, read without running anything in them."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seq2seq.config import Config
from seq2seq.config_file import load_config
from seq2seq.errors import ConfigError
from seq2seq.files import require_unicode_name
from seq2seq.plugins import IMPORT_PATH
from seq2seq.sharing.hub import download
from seq2seq.sharing.shared_config import without_folders

CONFIG, WEIGHTS, DATA, SCORES = "config.yaml", "model.safetensors", "data.json", "scores.json"
METRICS, LEXICON = "metrics.jsonl", "lexicon.safetensors"
TOKENIZERS = ("tokenizer/joint.model", "tokenizer/source.model", "tokenizer/target.model")
FILES = (CONFIG, *TOKENIZERS, WEIGHTS, LEXICON, DATA, SCORES)
"""All that is taken of a model from the hub, or that a run has for it; of a run, METRICS is read besides."""

PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")
LARGEST_CONFIG = 100_000
"""Bytes; a config has about 2,000."""


def find_folder(name: str | Path) -> tuple[Path, bool]:
    """The folder that a name stands for, downloaded if need be, and whether it came from the hub.

    Raises:
        ConfigError: There is no such model, or its files are not all in the folder.
    """
    require_unicode_name(name)
    folder = Path(name)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file: name the folder that holds a model{pickle_hint([folder])}")
    from_hub = not folder.is_dir()
    if from_hub:
        folder = download(str(name), FILES)
    if not (folder / CONFIG).is_file():
        raise ConfigError(
            f"{name}: not a run folder: it has no {CONFIG}, which `seq2seq train` leaves there"
            + pickle_hint(folder.glob("*"))
        )
    require_self_contained(folder, (*FILES, METRICS))
    return folder, from_hub


def read_config(name: str | Path) -> Config:
    """Read the settings of what `find_folder` finds.

    Raises:
        ConfigError: There is no such model, or its config.yaml cannot be used.
    """
    return read_folder_config(*find_folder(name))


def read_folder_config(folder: Path, from_hub: bool) -> Config:
    """The same of a folder that was found; of the paths in a config from the hub only the last names are kept."""
    size = (folder / CONFIG).stat().st_size
    if size > LARGEST_CONFIG:
        raise ConfigError(f"{folder / CONFIG}: not a model's config: it has {size:,} bytes, over {LARGEST_CONFIG:,}")
    config = load_config(folder / CONFIG)
    return without_folders(config) if from_hub else config


def require_imported(name: str | Path, config: Config) -> None:
    """Check that building the model imports nothing: a folder that someone gave us must not choose what code runs.

    Raises:
        ConfigError: The config names a class of a module that has not been imported; the message says how to.
    """
    for key, value in own_classes(config).items():
        module = value.partition(":")[0]
        if module not in sys.modules and IMPORT_PATH.fullmatch(value):
            raise ConfigError(
                f"{name}: its config names code, model.{key}={value}, and no model imports code by itself: "
                f"if you trust {module}, give --import {module}, or in Python `import {module}` before"
            )


def own_classes(config: Config) -> dict[str, str]:
    """The settings under `model` that are an import path, by their keys."""
    attention = config.model.attention
    parts = {"score": attention.score, "normalizer": attention.normalizer, "window": attention.window}
    return {f"attention.{key}": value for key, value in parts.items() if ":" in value}


def read_counts(folder: Path) -> dict[str, Any] | None:
    """What training counted of its data, split by split; None where it left no record.

    Raises:
        ConfigError: The record is damaged.
    """
    path = folder / DATA
    if not path.exists():
        return None
    counts = read_json(path)
    if not isinstance(counts, dict):
        raise ConfigError(f"{path}: damaged: expected counts for each split")
    return counts


def read_json(path: Path) -> Any:
    """What a JSON file says.

    Raises:
        ConfigError: The file cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read it: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: damaged: {error}") from error


def pickle_hint(paths: Iterable[Path]) -> str:
    """What to say of the pickles among some files, when what is needed is not there."""
    pickles = sorted(path.name for path in paths if path.suffix in PICKLES)
    return f" ({pickles[0]} is never opened: a pickle can run code; weights are safetensors)" if pickles else ""


def require_self_contained(folder: Path, names: Iterable[str]) -> None:
    """Check that each file that is there is a plain one in its folder, or the hub cache's blob that stands for it.

    A link elsewhere would make another file a part of the model, and of what is shared of it.

    Raises:
        ConfigError: One is not; the message says where it leads.
    """
    real = Path(os.path.realpath(folder))
    rooms = [real, real.parent.parent / "blobs"] if real.parent.name == "snapshots" else [real]
    for path in (folder / name for name in names):
        if not os.path.lexists(path):
            continue
        target = Path(os.path.realpath(path))
        if not any(target.is_relative_to(room) for room in rooms):
            raise ConfigError(f"{path}: leads out of the folder, to {target}: put the file itself there")
        if not target.is_file():
            raise ConfigError(f"{path}: is not a file")
