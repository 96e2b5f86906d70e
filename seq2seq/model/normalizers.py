"""Normalizers: from scores to weights, a distribution over the source positions that the mask leaves.

All of them divide the scores by the temperature first, and compute in float32 at least.
"""

import entmax
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Normalizer(nn.Module):
    """What the normalizers below share."""

    def __init__(self, temperature: float):
        super().__init__()
        self.temperature = temperature

    def prepare(self, scores: Tensor, mask: Tensor, outside: float) -> Tensor:
        """scores / temperature in float32 at least, and `outside` where the mask is false."""
        precise = scores.to(torch.promote_types(scores.dtype, torch.float32))
        if self.temperature != 1.0:
            precise = precise / self.temperature
        return precise.masked_fill(~mask, outside)


class Softmax(Normalizer):
    """weights = exp(score) / sum of exp(score)."""

    def forward(self, scores: Float[Tensor, "B N T S"], mask: Bool[Tensor, "B 1 #T S"]) -> Float[Tensor, "B N T S"]:
        return torch.softmax(self.prepare(scores, mask, -torch.inf), dim=-1)


class Sparsemax(Normalizer):
    """weights = the point of the simplex nearest to the scores, Martins & Astudillo 2016, arXiv:1602.02068, equation 1.

    Low scores get a weight of exactly zero.
    """

    def forward(self, scores: Float[Tensor, "B N T S"], mask: Bool[Tensor, "B 1 #T S"]) -> Float[Tensor, "B N T S"]:
        return entmax.sparsemax(self.prepare(scores, mask, -1e9), dim=-1)  # its sums take no infinity


class Entmax15(Normalizer):
    """1.5-entmax, halfway between softmax and sparsemax, Peters et al. 2019, arXiv:1905.05702, section 3.

    weights = max(score / 2 - tau, 0) ** 2, with the tau for which they sum to one.
    """

    def forward(self, scores: Float[Tensor, "B N T S"], mask: Bool[Tensor, "B 1 #T S"]) -> Float[Tensor, "B N T S"]:
        return entmax.entmax15(self.prepare(scores, mask, -1e9), dim=-1)


class Hard(Normalizer):
    """One source position a step gets all the weight.

    In training a position is drawn from softmax(score), by the Gumbel-max trick, and its gradient is that of the
    relaxation softmax((score + Gumbel noise) / temperature): the straight-through Gumbel-softmax estimator, Jang et
    al. 2017, arXiv:1611.01144, sections 2.1 and 2.2. It is biased; a lower temperature has less bias and more variance.
    Otherwise the highest score is taken, without a gradient.
    """

    def forward(self, scores: Float[Tensor, "B N T S"], mask: Bool[Tensor, "B 1 #T S"]) -> Float[Tensor, "B N T S"]:
        prepared = self.prepare(scores, mask, -torch.inf)
        if not self.training:
            return _one_hot(prepared)
        noise = -torch.empty_like(prepared).exponential_().log()  # Gumbel
        soft = torch.softmax(prepared + noise / self.temperature, dim=-1)
        return _one_hot(soft) + (soft - soft.detach())


def _one_hot(scores: Tensor) -> Tensor:
    return torch.zeros_like(scores).scatter_(-1, scores.argmax(dim=-1, keepdim=True), 1.0)


NORMALIZERS: dict[str, type[nn.Module]] = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax15": Entmax15,
    "hard": Hard,
}
