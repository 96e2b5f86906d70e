"""How sharply a model looks: measures of its attention weights over many sentences."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class AttentionStatistics(NamedTuple):
    """Each a mean over all rows of weights, one row a head and target token (</s> included)."""

    entropy: float
    """In bits. 0 where one source token gets all the weight, log2 S where all S get the same."""
    sharpness: float
    """The largest weight of a row, from 1 / S to 1."""
    nonzero: float
    """The share of a row's weights that are not exactly 0, from 1 / S to 1."""


def attention_statistics(sentences: Iterable[Float[Tensor, "_ _ _"]]) -> AttentionStatistics | None:
    """Statistics of the attention weights [heads, target tokens, source tokens] of sentences; None if there are none.

    With p a row of weights, divided by its sum where a window has made that other than 1, and S its source tokens::

        entropy   = - sum over s of p_s log2 p_s,  with 0 log2 0 = 0
        sharpness = max over s of p_s
        nonzero   = number of s with p_s != 0, / S

    A target token counts as much in a short sentence as in a long one. A row of nothing but zeros has entropy 0.
    """
    total, num_rows = torch.zeros(3, dtype=torch.float64), 0
    for weights in sentences:
        if weights.numel() == 0:  # a blank line, or no attention
            continue
        rows = weights.flatten(0, 1).double()  # [N*T, S]
        rows = rows / rows.sum(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        entropy = torch.special.entr(rows).sum(dim=1) / torch.log(torch.tensor(2.0, dtype=torch.float64))
        total += torch.stack([entropy, rows.amax(dim=1), (rows != 0).double().mean(dim=1)]).sum(dim=1)
        num_rows += len(rows)
    return AttentionStatistics(*(total / num_rows).tolist()) if num_rows else None
