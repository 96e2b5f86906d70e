"""Drawing the next token, so that a sentence's sample depends on no other sentence."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.inference.options import SearchOptions


class Sampler:
    """Draws from softmax(logits / temperature), cut to the top k and the top p, for the sentences of a batch.

    Each sentence has a generator of its own, seeded by the seed and its number in the input. A draw is the token with
    the highest log-probability + Gumbel noise (Maddison et al. 2014, arXiv:1411.0030): the rounding of the matrix
    products, which depends on the batch, hardly ever changes which that is.
    """

    def __init__(self, options: SearchOptions, numbers: Sequence[int]):
        self._options = options
        self._generators = [np.random.default_rng((options.seed, number)) for number in numbers]

    def draw(self, log_probs: Float[Tensor, "R V"], sentences: Sequence[int]) -> Int[Tensor, "R 1"]:
        """One token a row; `sentences` says which sentence of the batch a row belongs to."""
        size = log_probs.size(1)
        waiting = [self._generators[index].standard_exponential(size, dtype=np.float32) for index in sentences]
        noise = -torch.from_numpy(np.stack(waiting)).clamp(min=1e-30).log().to(log_probs.device)
        return (cut(log_probs / self._options.temperature, self._options) + noise).argmax(dim=1, keepdim=True)


def cut(logits: Float[Tensor, "R V"], options: SearchOptions) -> Float[Tensor, "R V"]:
    """-inf in place of the tokens that top k or top p leave out."""
    if options.top_k is not None and options.top_k < logits.size(1):
        least = logits.topk(options.top_k, dim=1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if options.top_p is not None:
        descending = logits.sort(dim=1, descending=True).values
        probabilities = descending.softmax(dim=1)
        before = probabilities.cumsum(dim=1) - probabilities  # what the likelier ones have together
        num_kept = (before < options.top_p).sum(dim=1, keepdim=True).clamp(min=1)
        logits = logits.masked_fill(logits < descending.gather(1, num_kept - 1), -torch.inf)
    return logits
