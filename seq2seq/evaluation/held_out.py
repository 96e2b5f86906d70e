"""The text that runs are judged on."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2seq.config import Config, CorpusConfig
from seq2seq.data.corpus import read_corpus
from seq2seq.errors import DataError, UserError
from seq2seq.sharing.model_folder import read_config


class HeldOut(NamedTuple):
    """Sentences with references, and the configs of the runs that are judged on them."""

    sources: list[str]
    references: list[str]
    target_language: str
    configs: list[Config]
    files: Sequence[str] = ()
    """Those that they were read from."""


def read_held_out(
    runs: Sequence[Path], split: str = "test", source: Path | None = None, target: Path | None = None
) -> HeldOut:
    """Read what the configs of `runs`, which must agree, have as `data.split`; or the files `source` and `target`.

    Whether they agree or not, the languages are those of the first.

    Raises:
        ConfigError: A run is none.
        DataError: The text cannot be read, or the two sides differ in length.
        UserError: The configs name different text or languages, or none.
    """
    configs = [read_config(run) for run in runs]
    first = configs[0].data
    if source is not None and target is not None:
        return _read(CorpusConfig(source=str(source), target=str(target)), split, configs)
    for run, config in zip(runs, configs, strict=True):
        if getattr(config.data, split) is None:
            raise UserError(f"{run}: its config has no data.{split}; name files with --source and --target")
        for key in (split, "source_language", "target_language"):
            here, there = (_describe(getattr(data, key)) for data in (config.data, first))
            if here != there:
                raise UserError(
                    f"{run}: data.{key} is {here}, but in {runs[0]} it is {there}; "
                    "name one test set for all with --source and --target"
                )
    return _read(getattr(first, split), split, configs)


def _read(place: CorpusConfig, split: str, configs: list[Config]) -> HeldOut:
    data = configs[0].data
    sources, references = read_corpus(place, data, split)
    if not any(map(str.strip, references)):
        raise DataError(f"all references are blank, in {_describe(place)}: there is nothing to score against")
    return HeldOut(sources, references, data.target_language, configs, place.files)


def _describe(value: str | CorpusConfig) -> str:
    if isinstance(value, str):
        return repr(value)
    return ", ".join(f"{key}={entry}" for key, entry in value.model_dump(by_alias=True, exclude_none=True).items())
