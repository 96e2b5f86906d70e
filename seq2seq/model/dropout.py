"""Dropout at the cost of a few bits a number."""

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """In training sets each number to zero with probability p and divides the others by 1 - p, Srivastava et al. 2014.

    On a CPU each number takes 16 of the generator's bits, so that p is rounded to a multiple of 2^-16; torch's own
    dropout takes 64, and several times as long.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return inputs
        if inputs.is_cuda:
            return nn.functional.dropout(inputs, self.p)
        return inputs * _factors(inputs.numel(), min(round(self.p * 2**16), 2**16 - 1)).to(inputs.dtype).view(
            inputs.shape
        )

    def extra_repr(self) -> str:
        return f"p={self.p}"


def _factors(count: int, num_dropped: int) -> Tensor:
    """Of the 2^16 values that 16 bits take, so many drop a number; the factors keep the mean."""
    bits = torch.empty(-(-count // 4), dtype=torch.long).random_(-(2**63), None).view(torch.int16)[:count]
    return (bits >= num_dropped - 2**15).float().mul_(2**16 / (2**16 - num_dropped))
