"""Looking up what a setting names: an entry of one of our tables, or a user's own class by its import path."""

import importlib
import re
import sys
from collections.abc import Mapping
from typing import Any

from seq2seq.errors import ConfigError, UserError

IMPORT_PATH = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*)")


def resolve(name: str, known: Mapping[str, Any], key: str) -> Any:
    """Return `known[name]`, or the class that the import path ``package.module:Name`` leads to.

    Raises:
        ConfigError: Neither is found; the message names the setting `key`.
    """
    if name in known:
        return known[name]
    match = IMPORT_PATH.fullmatch(name)
    if match is None:
        raise ConfigError(
            f"{key} is {name!r}: use one of {', '.join(known)}, or the import path of your own, package.module:Name"
        )
    try:
        found = getattr(import_own(match["module"]), match["name"])
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{key} is {name!r}: cannot import it: {error}") from error
    from torch import nn  # some commands do without

    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ConfigError(f"{key} is {name!r}: that is no class of torch's modules (torch.nn.Module)")
    return found


def import_own(module: str) -> Any:
    """Import a module of the user's, from the Python path or else from the current folder.

    The current folder comes last: a file in it must not take the place of a library's.
    """
    if "" not in sys.path:
        sys.path.append("")
    return importlib.import_module(module)


def import_for_models(modules: list[str]) -> None:
    """Import what --import names.

    Raises:
        UserError: There is no such module.
    """
    for module in modules:
        try:
            import_own(module)
        except (ImportError, TypeError, ValueError) as error:  # the last two for what is no module's name
            raise UserError(f"--import {module}: cannot import it: {error}") from error
