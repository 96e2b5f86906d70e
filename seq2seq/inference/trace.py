"""What search did, step by step, from which its hypotheses are read backwards."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Hypothesis(NamedTuple):
    ids: list[int]
    """Target ids, closed by EOS."""
    token_log_probs: list[float]
    """Of each of them, EOS included, under the model: whatever the rules of search or the temperature."""
    score: float
    """By which hypotheses are ranked: log_prob, made comparable between lengths, and the coverage penalty."""
    weights: Float[Tensor, "N T S"]
    """Attention weights of each of its tokens over the source; N is 0 without attention."""

    @property
    def log_prob(self) -> float:
        return sum(self.token_log_probs)


class Trace:
    """Rows are numbered anew at each step. Those after step t have a token, a total log-probability, and the row of
    step t - 1 that they continue; and the rows of step t - 1 looked somewhere to find what comes next."""

    def __init__(self) -> None:
        self._tokens: list[Tensor] = []
        self._totals: list[Tensor] = []
        self._parents: list[Tensor] = []
        self._weights: list[Tensor] = []

    def look(self, weights: Float[Tensor, "R N S"]) -> None:
        self._weights.append(weights)

    def go_on(self, tokens: Int[Tensor, " R"], totals: Float[Tensor, " R"], parents: Int[Tensor, " R"]) -> None:
        self._tokens.append(tokens)
        self._totals.append(totals)
        self._parents.append(parents)

    def read_back(
        self, lengths: Int[Tensor, " F"], rows: Int[Tensor, " F"], totals: Float[Tensor, " F"]
    ) -> tuple[Int[Tensor, "F T"], Float[Tensor, "F T"], Float[Tensor, "F N T S"]]:
        """Tokens, totals and weights of hypotheses that end by EOS after so many steps, from these rows before it.

        Behind a hypothesis's end stand zeros; its EOS has a total but no token.
        """
        lengths, longest = lengths.cpu(), int(lengths.max())
        tokens = lengths.new_zeros(len(lengths), longest)
        sums = torch.zeros(len(lengths), longest, dtype=torch.float64)
        weights = self._weights[0].new_zeros(
            len(lengths), *self._weights[0].shape[1:2], longest, self._weights[0].size(2)
        )
        sums[torch.arange(len(lengths)), lengths - 1] = totals.cpu()
        rows = rows.clone()
        for length in range(longest, 0, -1):
            going = (lengths >= length).nonzero().squeeze(1)
            on_device = going.to(rows.device)
            here = rows[on_device]
            weights[on_device, :, length - 1] = self._weights[length - 1][here]
            if length > 1:
                tokens[going, length - 2] = self._tokens[length - 2][here].cpu()
                sums[going, length - 2] = self._totals[length - 2][here].cpu()
                rows[on_device] = self._parents[length - 2][here]
        return tokens, sums, weights.cpu()
