"""The additive score's sum over features, with a gradient written by hand: it is the dearest part of that attention."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def additive_scores(
    query: Float[Tensor, "B N T D"], keys: Float[Tensor, "B N S D"], v: Float[Tensor, "N D 1"]
) -> Float[Tensor, "B N T S"]:
    """score = v . tanh(query + key); features in the format of query and keys, scores in that of v.

    tanh(x) is 2 sigmoid(2x) - 1, and torch's sigmoid on a CPU is several times as fast as its tanh. The [B, N, T, S, D]
    features are not kept for the backward pass: to compute them anew takes less time than to bring them from memory.
    """
    return _AdditiveScores.apply(query, keys, v)


class _AdditiveScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(query, keys, v)
        sigmoid = _sigmoid(query, keys)
        return _weighted(sigmoid, 2 * v) - v.sum(dim=1).unsqueeze(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, keys, v = ctx.saved_tensors
        sigmoid = _sigmoid(query, keys)
        precise, rounded = gradients[0], gradients[0].to(sigmoid.dtype)
        of_v = (rounded.transpose(0, 1).flatten(1).unsqueeze(1) @ sigmoid.transpose(0, 1).flatten(1, 3)).transpose(1, 2)
        of_v = 2 * of_v.to(v.dtype) - precise.sum(dim=(0, 2, 3)).view(-1, 1, 1)
        slope = torch.addcmul(sigmoid, sigmoid, sigmoid, value=-1)  # a quarter of tanh's
        slope *= 4 * v.to(slope.dtype).view(-1, 1, 1, v.size(1))
        of_query = (rounded.unsqueeze(3) @ slope).squeeze(3)
        of_keys = slope.mul_(rounded.unsqueeze(4))
        return of_query, of_keys.squeeze(2) if of_keys.size(2) == 1 else of_keys.sum(dim=2), of_v


def _sigmoid(query: Tensor, keys: Tensor) -> Tensor:
    """sigmoid(2 (query + key)) of every pair, [B, N, T, S, D]."""
    return torch.add((2 * query).unsqueeze(3), keys.unsqueeze(2), alpha=2).sigmoid_()


def _weighted(features: Tensor, v: Tensor) -> Tensor:
    """features . v for each head, in the format of v: [B, N, T, S]."""
    if v.size(0) == 1:  # one product for all sentences is sooner done than one for each
        return (features @ v[0].to(features.dtype)).squeeze(4).to(v.dtype)
    return (features.flatten(2, 3) @ v.to(features.dtype)).view(features.shape[:-1]).to(v.dtype)
