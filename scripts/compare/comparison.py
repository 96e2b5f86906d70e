"""What is compared: a base config and variations of it, checked whole before anything is computed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import torch
from pydantic import Field, model_validator

from seq2seq.config import Config, Section
from seq2seq.config_file import check, load_config, read_yaml
from seq2seq.errors import ConfigError
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.run_folder import FIXED_AT_RESUME, differences

SHARED = (
    "data.", "tokenizer.", "search.", "training.seed", "training.device", "training.precision", "training.batch_tokens",
    "training.max_epochs", "training.max_steps", "training.patience", "training.validate_every",
)  # fmt: skip
"""Settings of one corpus, one budget and one way to measure, in which nothing that is compared may differ."""


class Setting(Section):
    name: Annotated[str, Field(pattern=r"^\w[\w.+-]*$", max_length=40)]
    """Its folder in the output, and its name in tables and pictures."""
    overrides: list[str] = Field(default=[])
    """`key=value`, as `seq2seq train` takes them."""


class Variations(Section):
    base: str
    """The config that all start from; its path counts, like those in it, from where you stand."""
    overrides: list[str] = Field(default=[])
    """`key=value` for all: the budget, above all."""
    settings: Annotated[list[Setting], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [setting.name.casefold() for setting in self.settings]  # some file systems ignore case
        twice = [setting.name for setting in self.settings if names.count(setting.name.casefold()) > 1]
        if twice:
            raise ValueError(f"settings need names of their own: {', '.join(twice)}")
        return self


class Comparison(Variations):
    """The first of `settings` is the one that the others' speed is a ratio to."""

    sentence: Annotated[str, Field(pattern=r"\S")]
    """The source sentence whose attention is drawn."""


class Candidate(NamedTuple):
    """One setting, ready to run."""

    name: str
    overrides: list[str]
    """All of them, those of the comparison first."""
    config: Config
    folder: Path

    @property
    def run(self) -> Path:
        """The run folder that `seq2seq train` makes."""
        return self.folder / "run"

    @property
    def has_attention(self) -> bool:
        return self.config.model.attention.score != "none"

    @property
    def digest(self) -> str:
        """Changes with any setting: a result under another digest is of something else."""
        return hashlib.sha256(self.config.model_dump_json().encode()).hexdigest()[:16]


def load_comparison(path: Path) -> Comparison:
    """Read the file of a comparison.

    Raises:
        ConfigError: It cannot be read, or a setting in it is unknown, missing or out of range.
    """
    return check(read_yaml(path, Comparison), Comparison, path)


def check_candidates(comparison: Comparison, output: Path) -> list[Candidate]:
    """Check all settings: each config is valid and its model can be built, and they share corpus and budget.

    Raises:
        ConfigError: The first that fails, by name.
    """
    candidates: list[Candidate] = []
    for setting in comparison.settings:
        overrides = [*comparison.overrides, *setting.overrides]
        try:
            config = load_checked(comparison.base, overrides)
            candidate = Candidate(setting.name, overrides, config, output / setting.name)
            if candidates:
                _refuse(differences(candidates[0].config, config), SHARED, f"must be as in {candidates[0].name}")
            if (candidate.run / "checkpoints" / "latest").exists():
                trained = load_config(candidate.run / "config.yaml")
                _refuse(
                    differences(trained, config), FIXED_AT_RESUME, f"not as in {candidate.run}: name another output"
                )
        except ConfigError as error:
            raise ConfigError(f"setting {setting.name}: {error}") from error
        candidates.append(candidate)
    return candidates


def load_checked(base: str, overrides: list[str]) -> Config:
    """A config that is valid and whose model can be built."""
    config = load_config(base, overrides)
    with torch.device("meta"):
        Seq2Seq(config.model, source_vocabulary_size=8, target_vocabulary_size=8)
    return config


def _refuse(changed: Iterable[str], fixed: tuple[str, ...], why: str) -> None:
    keys = [key for key in changed if key.startswith(fixed)]
    if keys:
        raise ConfigError(f"{', '.join(keys)}: {why}")
