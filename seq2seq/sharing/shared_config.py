"""A config as it goes to others and comes from them: it says what was trained on what, and names no folder."""

import re
from typing import Any

from seq2seq.config import TABLE_FORMATS, Config

PLACES = ("source", "target", *TABLE_FORMATS, "cache", "start_from")
"""Keys whose values are paths, under `data`, `model.vectors` and `training`."""
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?(@[\w./-]+)?", re.ASCII)


def without_folders(config: Config) -> Config:
    """The same settings, with nothing left of the paths to corpora, word vectors and other models but their last names.

    The folders would tell strangers about one's machine; a stranger's could lead anywhere on it. A dataset's name on
    the hub stays.
    """
    settings = config.model_dump(by_alias=True, mode="json")
    settings["data"] = _shortened(settings["data"])
    settings["model"]["vectors"] = _shortened(settings["model"]["vectors"])
    settings["training"] = _shortened(settings["training"])
    return Config.model_validate(settings)


def _shortened(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _shortened(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_shortened(part, key) for part in value]
    is_path = key in PLACES or (key == "hub" and not HUB_NAME.fullmatch(value or "-"))
    return re.split(r"[/\\]", value)[-1] if is_path and isinstance(value, str) else value
