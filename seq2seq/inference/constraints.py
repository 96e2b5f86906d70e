"""What a translation may not hold, must begin with, and how long it may be."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.data.tokenizer import EOS
from seq2seq.inference.options import SearchOptions


class Bounds(NamedTuple):
    """What holds at every step."""

    least: Int[Tensor, " B"]
    """A sentence's least length, and its greatest."""
    most: Float[Tensor, " B"]
    forbidden: Int[Tensor, " F"]
    """Ids that no translation holds."""


class Constraints:
    """Rules of the sentences of a batch, applied to the log-probabilities of a step.

    A length counts tokens, EOS included. The prefix has its way over all other rules, and the greatest length over
    the least; of a row that a rule leaves nothing else, EOS is what is left.
    """

    def __init__(
        self,
        options: SearchOptions,
        source_lengths: Sequence[int],
        prefixes: Sequence[Sequence[int]],
        forbidden: Sequence[int],
        device: torch.device,
    ):
        self._ngram_size = options.no_repeat_ngram_size
        least = [int(length * options.min_length_ratio) for length in source_lengths]
        limits = [int(length * options.max_length_ratio) + 10 for length in source_lengths]
        limits = [max(limit, len(prefix) + 1) for limit, prefix in zip(limits, prefixes, strict=True)]
        self._least_of_all, self.longest = max(least), max(limits)
        self._limit_values = set(limits)
        self.prefix_size = max(len(prefix) for prefix in prefixes)
        padded = [[*prefix, *[-1] * (self.prefix_size - len(prefix))] for prefix in prefixes]
        self.bounds = Bounds(
            torch.tensor(least, device=device),
            torch.tensor(limits, dtype=torch.float64, device=device),
            torch.tensor(list(forbidden), dtype=torch.long, device=device),
        )
        self._prefixes = torch.tensor(padded, dtype=torch.long, device=device)  # [B, P], -1 after its end

    @property
    def need_tokens(self) -> bool:
        return self._ngram_size > 0

    def apply(
        self,
        log_probs: Float[Tensor, "R V"],
        bounds: Bounds,
        sentences: Int[Tensor, " R"],
        length: int | Float[Tensor, ""],
        tokens: Int[Tensor, "R _"] | None,
    ) -> Float[Tensor, "R V"]:
        """Set what may not come next to -inf.

        Args:
            bounds: Those of these sentences.
            sentences: Which sentence of the batch each row belongs to.
            length: Of the hypotheses once they have the next token; a tensor where the step is to be repeated at
                others, all longer than a prefix.
            tokens: BOS and what the rows hold so far; read only where `need_tokens`.
        """
        repeated = isinstance(length, Tensor)
        forced = None if repeated or length > self.prefix_size else self._prefixes[sentences, length - 1]
        unruled = log_probs if forced is None else log_probs.clone()
        log_probs.index_fill_(1, bounds.forbidden, -torch.inf)
        to_end = log_probs[:, EOS].clone()
        if tokens is not None and tokens.size(1) >= self._ngram_size:
            _forbid_repetition(log_probs, tokens, self._ngram_size)
        if repeated or length < self._least_of_all:
            log_probs[:, EOS].masked_fill_(bounds.least[sentences] > length, -torch.inf)
        if self.need_tokens:
            stuck = log_probs.amax(dim=1) == -torch.inf
            log_probs[:, EOS] = torch.where(stuck, to_end, log_probs[:, EOS])
        if repeated or length in self._limit_values:
            at_limit = bounds.most[sentences] == length
            log_probs.masked_fill_(at_limit.unsqueeze(1), -torch.inf)
            log_probs[:, EOS] = torch.where(at_limit, to_end, log_probs[:, EOS])
        if forced is not None:
            log_probs = _only(unruled, log_probs, forced)
        return log_probs


def _forbid_repetition(log_probs: Tensor, tokens: Tensor, size: int) -> None:
    """Forbid each token that followed an earlier occurrence of the last size - 1 ones."""
    runs = tokens.unfold(1, size, 1)  # [R, t - size + 1, size]
    last = tokens[:, tokens.size(1) - size + 1 :].unsqueeze(1)
    again = (runs[:, :, :-1] == last).all(dim=2)
    log_probs.scatter_add_(1, runs[:, :, -1], torch.where(again, -torch.inf, 0.0))


def _only(unruled: Tensor, ruled: Tensor, forced: Tensor) -> Tensor:
    """In the rows that have a forced token, nothing else; there no other rule counts."""
    columns = torch.arange(unruled.size(1), device=unruled.device)
    only = unruled.masked_fill(columns != forced.unsqueeze(1), -torch.inf)
    return torch.where(forced.unsqueeze(1) >= 0, only, ruled)
