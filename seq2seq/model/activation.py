"""The hyperbolic tangent, made faster for search."""

import torch
from jaxtyping import Float
from torch import Tensor

AT_A_TIME = 32
"""Numbers that torch's loops on a CPU take at a time, or fewer."""


def tanh(x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
    """tanh(x), on a CPU as 2 sigmoid(2x) - 1 where no gradient is wanted: sooner done, and off by 2e-7 at most.

    In float32, that is: with the few digits of bfloat16 the difference from 1 would leave nothing of a small x, and
    float64 is for who wants all digits. And in rows without a rest: that of a tensor torch's sigmoid rounds in another
    way, so that a row's last bit would depend on its company, as it does not in torch's tanh.
    """
    is_exact = x.dtype != torch.float32 or x.is_cuda or torch.is_grad_enabled() or x.size(-1) % AT_A_TIME > 0
    return torch.tanh(x) if is_exact else (2 * x).sigmoid_().mul_(2).sub_(1)
