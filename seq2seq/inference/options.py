"""How to translate this time: a run's own settings of search, what is asked for instead, and what to return."""

from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field, model_validator

from seq2seq.config import PositiveInt, SearchConfig
from seq2seq.config_file import check


class SearchOptions(SearchConfig):
    """The settings of a run's config, and those that only a single call has."""

    n_best: PositiveInt = 1
    """How many different translations of a sentence to return, if search finds as many."""
    sample: bool = False
    """Draw the tokens at random, by the model's probabilities, in place of a beam."""
    temperature: Annotated[float, Field(ge=0.001)] = 1.0
    """In sampling, logits are divided by it: below 1 the likely tokens get likelier."""
    top_k: PositiveInt | None = None
    """Sample from the so many likeliest tokens only (Fan et al. 2018, arXiv:1805.04833, section 5.3)."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Sample from the likeliest tokens that together are as probable (Holtzman et al. 2020, arXiv:1904.09751)."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    """A sample is a function of it and of the sentence's number in the input."""
    shortlist: bool = False
    """Search only among the target pieces that the source pieces of a batch are likely to need, by the lexical table
    that `seq2seq lexicon` learns: faster, not quite as good, and a translation depends a little on its batch."""

    @model_validator(mode="after")
    def _make_sense(self) -> "SearchOptions":
        if self.n_best > self.beam_size:
            raise ValueError(
                f"n_best is {self.n_best}, but a beam of {self.beam_size} finds no more than {self.beam_size}: "
                f"set beam_size to {self.n_best} or more"
            )
        if self.sample and self.beam_size > 1:
            raise ValueError(f"sample draws one translation, beam_size is {self.beam_size}: leave one of them out")
        given = [name for name in ("temperature", "top_k", "top_p", "seed") if name in self.model_fields_set]
        if given and not self.sample:
            raise ValueError(f"{given[0]} is for sampling: set sample too, or leave it out")
        if self.sample and self.shortlist:
            raise ValueError("sample draws from the whole vocabulary, shortlist cuts it: leave one of them out")
        return self


class SearchChanges(TypedDict, total=False):
    """The options by name, for one call; `SearchConfig` and `SearchOptions` tell what they mean, and their ranges."""

    beam_threshold: float | None
    length_normalization: Literal["exponent", "gnmt", "reward"]
    length_penalty: float
    coverage_penalty: float
    no_repeat_ngram_size: int
    min_length_ratio: float
    max_length_ratio: float
    max_source_length: int
    batch_tokens: int
    precision: Literal["float32", "bfloat16", "int8"]
    n_best: int
    sample: bool
    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int
    shortlist: bool


def search_options(config: SearchConfig, changes: dict[str, Any]) -> SearchOptions:
    """The config's settings with these changes; where sampling is asked for, without the config's beam.

    Raises:
        ConfigError: An option is unknown, out of range, or makes no sense beside another.
    """
    settings = config.model_dump()
    if changes.get("sample"):
        settings["beam_size"] = 1
    return check(settings | changes, SearchOptions, "search")
