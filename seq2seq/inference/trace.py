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
    """The rows of each step: the token and the total log-probability of their hypotheses, the row of the step before
    that they continue, and where they looked to find what comes next. Rows are numbered anew at each step.

    Args:
        copies: Whether to copy what is given, because it will be overwritten.
    """

    def __init__(self, copies: bool = False) -> None:
        self._copies = copies
        self._tokens: list[Tensor] = []
        self._totals: list[Tensor] = []
        self._parents: list[Tensor] = []
        self._weights: list[Tensor] = []

    def add(self, tokens: Int[Tensor, " R"], totals: Float[Tensor, " R"], parents: Int[Tensor, " R"]) -> None:
        """The rows of the next step. Those of the first continue none: what stands there has no meaning."""
        self._tokens.append(tokens.clone() if self._copies else tokens)
        self._totals.append(totals.clone() if self._copies else totals)
        self._parents.append(parents.clone() if self._copies else parents)

    def look(self, weights: Float[Tensor, "R N S"]) -> None:
        self._weights.append(weights.clone() if self._copies else weights)

    def read_back(
        self, lengths: Int[Tensor, " F"], rows: Int[Tensor, " F"], totals: Float[Tensor, " F"]
    ) -> tuple[Int[Tensor, "F _"], Float[Tensor, "F T"], Float[Tensor, "F N T S"]]:
        """Tokens, totals and weights of hypotheses that end by EOS after so many steps, from these rows before it.

        What is given is on the CPU. A hypothesis's EOS has a total but no token; behind its end nothing has a meaning.
        """
        # Here a row has one number in all steps.
        counts = torch.tensor([len(tokens) for tokens in self._tokens])
        starts = counts.cumsum(dim=0) - counts
        tokens, sums, parents = (torch.cat(parts).cpu() for parts in (self._tokens, self._totals, self._parents))
        parents += starts.roll(1).repeat_interleave(counts)
        longest = int(lengths.max())
        backwards = [starts[lengths - 1] + rows]
        for _ in range(longest - 1):
            backwards.append(parents[backwards[-1]])
        from_end = (lengths.unsqueeze(1) - 1 - torch.arange(longest)).clamp(min=0)
        path = torch.stack(backwards, dim=1).gather(1, from_end)  # [F, T]
        sums = torch.cat([sums[path[:, 1:]], torch.zeros(len(path), 1, dtype=sums.dtype)], dim=1)
        sums[torch.arange(len(path)), lengths - 1] = totals
        weights = torch.cat(self._weights)
        return tokens[path[:, 1:]], sums, weights[path.to(weights.device)].cpu().transpose(1, 2)
