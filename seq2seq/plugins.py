"""Looking up what a setting names: an entry of one of our tables, or a user's own class by its import path."""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from seq2seq.errors import ConfigError


def resolve(name: str, known: Mapping[str, Any], key: str) -> Any:
    """Return `known[name]`, or what the import path ``package.module:Name`` leads to.

    Raises:
        ConfigError: Neither is found; the message names the setting `key`.
    """
    if name in known:
        return known[name]
    module, separator, attribute = name.partition(":")
    if not separator:
        raise ConfigError(
            f"{key} is {name!r}: use one of {', '.join(known)}, or the import path of your own, package.module:Name"
        )
    if "" not in sys.path:
        sys.path.insert(0, "")  # the current folder, as `python -m` has it
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{key} is {name!r}: cannot import it: {error}") from error
