"""Settings read from YAML, changed by ``key=value`` overrides, checked, and written back."""

import difflib
import reprlib
import types
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import ValidationError

from seq2seq.config import Config, Section
from seq2seq.errors import ConfigError
from seq2seq.files import write_atomically

Schema = TypeVar("Schema", bound=Section)

BRIEF = reprlib.Repr()
"""For values in messages: aliases make a few lines of YAML as large as one likes."""
BRIEF.maxlevel, BRIEF.maxstring, BRIEF.maxother = 2, 100, 100


def load_config(path: str | Path, overrides: list[str] | None = None) -> Config:
    """Read a YAML file, apply ``section.key=value`` overrides, and check the result.

    Raises:
        ConfigError: The file cannot be read, is not YAML, or a setting is unknown or out of range.
    """
    settings = read_yaml(path, Config)
    for override in overrides or []:
        _apply_override(settings, override)
    return check(settings, Config, path)


def read_yaml(path: str | Path, schema: type[Section]) -> dict[Any, Any]:
    """Read a YAML file of settings, not yet checked.

    Raises:
        ConfigError: The file cannot be read or is not a mapping in YAML.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot read the config: {reason}") from error
    settings = _parse(text, str(path))
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: a config is a mapping of sections ({', '.join(schema.model_fields)})")
    return settings


def check(settings: dict[Any, Any], schema: type[Schema], path: str | Path) -> Schema:
    """Settings as their schema has them.

    Raises:
        ConfigError: A setting is unknown, missing or out of range; the message names the file and the key.
    """
    try:
        return schema.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(f"{path}: " + "; ".join(_describe(problem, schema) for problem in error.errors())) from error


def save_config(config: Config, path: str | Path) -> None:
    """Write the complete, resolved settings, as `load_config` reads them."""
    settings = config.model_dump(by_alias=True, exclude_none=False, mode="json")
    for split in ("train", "validation", "test"):
        if settings["data"][split] is not None:
            settings["data"][split] = {
                key: value for key, value in settings["data"][split].items() if value is not None
            }
    write_atomically(path, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


class _Loader(yaml.SafeLoader):
    """Refuses a key that a section has twice, of which YAML's own loaders silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, yaml.Node] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and seen.setdefault((key.tag, key.value), key) is not key:
                line = seen[key.tag, key.value].start_mark.line + 1
                problem = f"{key.value} is there twice, first in line {line}: join the two"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except Exception as error:  # not only YAMLError: no such date, an int of nothing, a nesting without end, ...
        raise ConfigError(f"{where}: not valid YAML: {_explain(error)}") from error


def _explain(error: Exception) -> str:
    """What a loader says, without its drawing of the place."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).split()) or type(error).__name__
    hint = "; indent with spaces" if "\\t" in problem else ""
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1}{hint})"


def _apply_override(settings: dict[Any, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"override {override!r}: write it as section.key=value, for example training.seed=2")
    value = _parse(text, f"override {override!r}")
    *sections, name = key.split(".")
    for section in sections:
        if settings.get(section) is None:
            settings[section] = {}
        settings = settings[section]
        if not isinstance(settings, dict):
            raise ConfigError(f"override {override!r}: {section} is a value, not a section")
    settings[name] = value


def _describe(problem: Any, schema: type[Section]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        *sections, name = problem["loc"]
        known = _known_keys(sections, schema)
        nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
        return f"unknown key {key}" + (
            f"; did you mean {nearest[0]}?" if nearest else f"; known are {', '.join(known)}"
        )
    if problem["type"] == "missing":
        return f"{key} is required"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if problem["type"] in ("model_type", "model_attributes_type"):
        message = "expected a section, which has settings by name"
    if problem["type"] == "string_type" and isinstance(problem["input"], bool):
        message += "; YAML takes no, yes, on, off for false and true: put it in quotes"
    if problem["type"] == "value_error":  # from our own checks, whose messages name the values
        return f"{key}: {message}" if key else message
    return f"{key} is {BRIEF.repr(problem['input'])}: {message}"


def _known_keys(sections: list[Any], schema: type[Section]) -> list[str]:
    model: Any = schema
    for section in sections:
        if not isinstance(section, int):  # a place in a list, whose item's type is the model already
            model = _section_type(model.model_fields[section].annotation)
    return [field.alias or name for name, field in model.model_fields.items()]


def _section_type(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        return next(arg for arg in get_args(annotation) if arg is not type(None))
    if get_origin(annotation) is list:
        return get_args(annotation)[0]
    return annotation
