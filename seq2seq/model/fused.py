"""Operations whose gradient is written by hand, since what autograd would make of them takes several times as long.

Each is defined by an equation that a test holds it to.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def additive_scores(
    query: Float[Tensor, "B N T D"], keys: Float[Tensor, "B N S D"], v: Float[Tensor, "N D 1"]
) -> Float[Tensor, "B N T S"]:
    """score = v . tanh(query + key), in float32 at least.

    tanh(x) is 2 sigmoid(2x) - 1, and torch's sigmoid is several times as fast as its tanh. The [B, N, T, S, D] numbers
    are not kept for the backward pass, which computes them anew in less time than it would take to round them.
    """
    return _AdditiveScores.apply(query, keys, v)


def gru_update(
    inputs: Float[Tensor, "B G"], recurrent: Float[Tensor, "B G"], h: Float[Tensor, "B H"]
) -> Float[Tensor, "B H"]:
    """A GRU's new state from the input's and the state's shares of its gates, in the order reset, update, candidate:

    reset, update = sigmoid(inputs + recurrent); candidate = tanh(inputs + reset x recurrent);
    new = (1 - update) x candidate + update x h. Gates are computed in the format of their shares, the state in its own.
    """
    return _GRUUpdate.apply(inputs, recurrent, h)


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
    return (features.flatten(2, 3) @ v.to(features.dtype)).view(features.shape[:-1]).to(v.dtype)


class _GRUUpdate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, recurrent: Tensor, h: Tensor) -> Tensor:
        size = h.size(1)
        gates = torch.add(inputs[:, : 2 * size], recurrent[:, : 2 * size]).sigmoid_()
        reset, update = gates[:, :size], gates[:, size:]
        candidate = torch.addcmul(inputs[:, 2 * size :], reset, recurrent[:, 2 * size :]).tanh_()
        ctx.save_for_backward(gates, candidate, recurrent, h)
        return torch.lerp(candidate.to(h.dtype), h, update.to(h.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gates, candidate, recurrent, h = ctx.saved_tensors
        size = h.size(1)
        reset, update = gates[:, :size], gates[:, size:]
        of_inputs, of_recurrent = torch.empty_like(recurrent), torch.empty_like(recurrent)
        of_new = gradients[0]
        of_h = of_new * update
        of_candidate = (of_new - of_h).to(candidate.dtype)
        of_candidate = torch.addcmul(of_candidate, of_candidate, candidate * candidate, value=-1)
        slopes = torch.addcmul(gates, gates, gates, value=-1)
        torch.mul(of_candidate, recurrent[:, 2 * size :], out=of_inputs[:, :size])
        of_inputs[:, size : 2 * size] = of_new * (h - candidate)
        of_inputs[:, : 2 * size] *= slopes
        of_inputs[:, 2 * size :] = of_candidate
        of_recurrent[:, : 2 * size] = of_inputs[:, : 2 * size]
        torch.mul(of_candidate, reset, out=of_recurrent[:, 2 * size :])
        return of_inputs, of_recurrent, of_h
