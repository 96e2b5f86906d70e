"""The hyperbolic tangent, made faster for search."""

import torch
from jaxtyping import Float
from torch import Tensor


def tanh(x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """tanh(x), on a CPU as 2 sigmoid(2x) - 1 where no gradient is wanted: sooner done, and off by 2e-7 at most.

    In float32, that is: with the few digits of bfloat16 the difference from 1 would leave nothing of a small x, and
    float64 is for who wants all digits.
    """
    if x.dtype != torch.float32 or x.is_cuda or torch.is_grad_enabled():
        return torch.tanh(x)
    return (2 * x).sigmoid_().mul_(2).sub_(1)
