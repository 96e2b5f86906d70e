"""What a translator returns."""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Translation:
    source: str
    text: str
    """One line, without line ends of any kind; where the target was given, that as it is."""
    score: float
    """By which translations are ranked: log_prob / number of tokens ** length_penalty, or as the config's `search` has
    it; 0 for a blank line."""
    source_tokens: list[str]
    """The subword pieces that the encoder read, closed by </s>."""
    tokens: list[str]
    """The subword pieces that the decoder wrote, closed by </s>."""
    weights: Float[Tensor, "N T S"]
    """Attention weights: for each head, one row a token over the source tokens. N is 0 without attention, and 1 in an
    ensemble: the mean over models and heads."""
    log_prob: float = 0.0
    """log P(translation | source), in nats; of it and </s>."""
    token_log_probs: list[float] = field(default_factory=list)
    """Its parts: of each of `tokens`, given those before."""
    alternatives: list["Translation"] = field(default_factory=list)
    """Where n_best is above 1: other translations, the next best first, each with another text."""
    num_unread: int = 0
    """Subword tokens at the source's end that were not read, for there were more than max_source_length."""


def blank(sentence: str, text: str = "", log_prob: float = 0.0) -> Translation:
    """Of a source without tokens: the only one that has a probability is the blank one."""
    return Translation(sentence, text, log_prob, [], [], torch.zeros(0, 0, 0), log_prob)


@dataclass(frozen=True)
class SelfAttention:
    """What a Transformer encoder looks at."""

    source: str
    source_tokens: list[str]
    """The subword pieces that the encoder read, closed by </s>; none of a blank line."""
    weights: Float[Tensor, "LN S S"]
    """Layer by layer, in each head by head: one row a token over all the tokens."""

    @property
    def tokens(self) -> list[str]:
        """The pieces that look, as those of a translation do: the same."""
        return self.source_tokens


def attention_record(result: Translation | SelfAttention) -> dict[str, Any]:
    """For JSON, with the keys that `seq2seq attention --help` names."""
    translation = {"text": result.text, "score": round(result.score, 6)} if isinstance(result, Translation) else {}
    return {
        "source": result.source,
        **translation,
        "source_tokens": result.source_tokens,
        "tokens": result.tokens,
        "weights": [[[round(weight, 6) for weight in row] for row in head] for head in result.weights.tolist()],
        "heads": len(result.weights),
    }
