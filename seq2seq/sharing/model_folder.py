"""Model folders: which files a model is on the disk, and what they say of it, read without running anything in them."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seq2seq.config import Config
from seq2seq.config_file import load_config
from seq2seq.errors import ConfigError
from seq2seq.files import require_unicode_name
from seq2seq.sharing.hub import download
from seq2seq.sharing.shared_config import without_folders

CONFIG, WEIGHTS, DATA, SCORES = "config.yaml", "model.safetensors", "data.json", "scores.json"
TOKENIZERS = ("tokenizer/joint.model", "tokenizer/source.model", "tokenizer/target.model")
FILES = (CONFIG, *TOKENIZERS, WEIGHTS, DATA, SCORES)
"""All that is ever read of a model, or taken from the hub."""

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
    _require_self_contained(folder)
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


def require_no_imports(name: str | Path, config: Config) -> None:
    """Check that building the model runs no code but our own.

    Raises:
        ConfigError: The config names a class to import.
    """
    for key in ("score", "normalizer", "window"):
        value = getattr(config.model.attention, key)
        if ":" in value:
            raise ConfigError(
                f"{name}: its config names code to import, model.attention.{key}={value}; if you trust that, "
                "use Translator.load(..., allow_imports=True), or download the model and name its folder"
            )


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


def _require_self_contained(folder: Path) -> None:
    """Each file of a model is a plain one that lies in its folder, or is the hub cache's blob that stands for it.

    A link elsewhere would make another file a part of the model, and of what is shared of it.
    """
    real = Path(os.path.realpath(folder))
    rooms = [real, real.parent.parent / "blobs"] if real.parent.name == "snapshots" else [real]
    for path in (folder / name for name in FILES):
        if not os.path.lexists(path):
            continue
        target = Path(os.path.realpath(path))
        if not any(target.is_relative_to(room) for room in rooms):
            raise ConfigError(f"{path}: leads out of the folder, to {target}: put the file itself there")
        if not target.is_file():
            raise ConfigError(f"{path}: is not a file")
