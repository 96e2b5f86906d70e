"""By what finished hypotheses of one sentence are ranked."""

from typing import overload

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.config import SearchConfig

LEAST_ATTENTION = 1e-4
"""Less counts as this much in the coverage penalty: sparse attention and windows give exact zeros, whose logarithm
would leave nothing to compare."""


@overload
def normalize(log_prob: float, length: int, config: SearchConfig) -> float: ...
@overload
def normalize(log_prob: Tensor, length: Tensor | int, config: SearchConfig) -> Tensor: ...
def normalize(log_prob: float | Tensor, length: Tensor | int, config: SearchConfig) -> float | Tensor:
    """A log-probability made comparable between lengths, EOS included; see `SearchConfig.length_normalization`."""
    strength = config.length_penalty
    if config.length_normalization == "reward":
        return log_prob + strength * length
    if config.length_normalization == "gnmt":
        return log_prob / ((5.0 + length) / 6.0) ** strength
    return log_prob / (1.0 * length) ** strength


def best_reachable(log_prob: Tensor, limit: Tensor, config: SearchConfig) -> Tensor:
    """No continuation of a hypothesis can get a higher score than this.

    The log-probability never rises, and a given one is worth the more the longer the hypothesis becomes, under each
    normalization: so as if every token up to the length limit had probability 1. The coverage penalty is at most 0.
    """
    return normalize(log_prob, limit, config)


def coverage_penalty(
    coverage: Float[Tensor, "R S"], mask: Bool[Tensor, "R S"], config: SearchConfig
) -> Float[Tensor, " R"]:
    """coverage_penalty x sum over source tokens of log min(attention that it got, 1); Wu et al. 2016, equation 14.

    Several heads count with their mean. Deviation: attention below `LEAST_ATTENTION` counts as that much.
    """
    logs = coverage.clamp(LEAST_ATTENTION, 1.0).log().masked_fill(~mask, 0.0)
    return config.coverage_penalty * logs.sum(dim=1, dtype=torch.float64)
