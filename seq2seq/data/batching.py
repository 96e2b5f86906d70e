"""From tokenized pairs to batches: length-bucketed, within a token budget, in an order that a seed decides."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seq2seq.data.tokenizer import BOS, EOS, PAD

TokenIds = list[int]


class Batch(NamedTuple):
    source: Int[Tensor, "B S"]
    """Source ids, each row closed by EOS."""
    source_mask: Bool[Tensor, "B S"]
    target_in: Int[Tensor, "B T"]
    """BOS and the target ids: what the decoder reads."""
    target_out: Int[Tensor, "B T"]
    """The target ids and EOS: what it is to predict."""
    target_mask: Bool[Tensor, "B T"]

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


def collate(sources: Sequence[TokenIds], targets: Sequence[TokenIds]) -> Batch:
    """Pad pairs of token ids (without BOS and EOS) to one batch."""
    source, source_mask = pad([ids + [EOS] for ids in sources])
    target_in, target_mask = pad([[BOS] + ids for ids in targets])
    target_out, _ = pad([ids + [EOS] for ids in targets])
    return Batch(source, source_mask, target_in, target_out, target_mask)


def pad(rows: Sequence[TokenIds]) -> tuple[Int[Tensor, "B L"], Bool[Tensor, "B L"]]:
    """Rows of ids as one tensor, and where it is real."""
    lengths = torch.tensor([len(row) for row in rows])
    size = int(lengths.max())
    ids = torch.tensor([row + [PAD] * (size - len(row)) for row in rows])
    return ids, torch.arange(size) < lengths.unsqueeze(1)


def length_batches(
    source_lengths: Sequence[int] | np.ndarray,
    target_lengths: Sequence[int] | np.ndarray,
    batch_tokens: int,
    seed: int | tuple[int, ...],
) -> list[np.ndarray]:
    """All pairs in batches, as their indices; a pure function of its arguments.

    A batch holds pairs of like length, and its number of pairs times its longest side (with EOS) is at most
    `batch_tokens`. A pair that alone is longer is a batch of its own.
    """
    generator = np.random.default_rng(seed)
    order, longest = by_length(source_lengths, target_lengths, generator)
    batches = group_by_budget(longest.tolist(), batch_tokens)
    generator.shuffle(batches)
    return [order[batch] for batch in batches]


def even_batches(
    source_lengths: Sequence[int] | np.ndarray,
    target_lengths: Sequence[int] | np.ndarray,
    num_batches: int,
    seed: int | tuple[int, ...],
) -> list[np.ndarray]:
    """All pairs in so many batches of about as many tokens each, as their indices; a pure function of its arguments.

    A batch holds pairs of like length, and at least one; there are as many pairs as batches or more.
    """
    generator = np.random.default_rng(seed)
    order, longest = by_length(source_lengths, target_lengths, generator)
    tokens, numbers = np.cumsum(longest), np.arange(1, num_batches)
    cuts = np.searchsorted(tokens, tokens[-1] * numbers / num_batches, side="right")
    cuts = np.maximum.accumulate(np.maximum(cuts, 1) - numbers) + numbers  # none empty, where a pair is very long ...
    cuts = np.minimum(cuts, len(order) - num_batches + numbers)  # ... or one of the last
    batches = np.split(order, cuts)
    generator.shuffle(batches)
    return batches


def by_length(
    source_lengths: Sequence[int] | np.ndarray,
    target_lengths: Sequence[int] | np.ndarray,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The order of the pairs by their longest side (with EOS), then the sum of both, then chance; and those longest."""
    sources, targets = np.asarray(source_lengths) + 1, np.asarray(target_lengths) + 1
    longest = np.maximum(sources, targets)
    order = np.lexsort((generator.random(len(longest)), sources + targets, longest))
    return order, longest[order]


def group_by_budget(lengths: Sequence[int], budget: int) -> list[slice]:
    """Cut a sequence of ascending lengths into runs whose count times longest stays within the budget."""
    groups, start = [], 0
    for end, length in enumerate(lengths):
        if end > start and (end - start + 1) * length > budget:
            groups.append(slice(start, end))
            start = end
    if start < len(lengths):
        groups.append(slice(start, len(lengths)))
    return groups
