"""Windows: which source positions a target step may look at, and where among them it is drawn to.

A window is built with the size of the whole query and the half-width D, in source positions. It returns the scores,
perhaps changed, and the mask that the normalizer gets.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq.model.activation import tanh


class Global(nn.Module):
    """All real source positions."""

    def __init__(self, query_size: int, half_width: int):
        super().__init__()

    def forward(
        self,
        scores: Float[Tensor, "B N T S"],
        mask: Bool[Tensor, "B S"],
        query: Float[Tensor, "B T H"],
        step: Int[Tensor, " B"],
    ) -> tuple[Float[Tensor, "B N T S"], Bool[Tensor, "B 1 #T S"]]:
        return scores, mask[:, None, None]


class LocalMonotonic(nn.Module):
    """local-m: target step t looks at the positions t - D to t + D; Luong et al. 2015, arXiv:1508.04025, section 3.2.

    A translation longer than its source stays at the last position, so that no window is ever empty.
    """

    def __init__(self, query_size: int, half_width: int):
        super().__init__()
        self.half_width = half_width

    def forward(
        self,
        scores: Float[Tensor, "B N T S"],
        mask: Bool[Tensor, "B S"],
        query: Float[Tensor, "B T H"],
        step: Int[Tensor, " B"],
    ) -> tuple[Float[Tensor, "B N T S"], Bool[Tensor, "B 1 T S"]]:
        steps = step.unsqueeze(1) + torch.arange(query.size(1), device=step.device)  # [B, T]
        center = torch.minimum(steps, mask.sum(dim=1, keepdim=True) - 1)
        distance = _positions(mask) - center.unsqueeze(2)  # [B, T, S]
        return scores, _within(distance, self.half_width, mask)


class LocalPredictive(nn.Module):
    """local-p: the model predicts where to look, p = (S - 1) sigmoid(v . tanh(W query)), and a Gaussian of deviation
    D / 2 around p favours what is near; Luong et al. 2015, arXiv:1508.04025, section 3.2, equations 9 and 10.

    Two deviations: positions count from 0, hence S - 1; and the Gaussian's logarithm is added to the scores instead of
    multiplying the weights, so that the weights still sum to one.
    """

    def __init__(self, query_size: int, half_width: int):
        super().__init__()
        self.half_width = half_width
        self.projection = nn.Linear(query_size, query_size, bias=False)
        self.v = nn.Linear(query_size, 1, bias=False)

    def forward(
        self,
        scores: Float[Tensor, "B N T S"],
        mask: Bool[Tensor, "B S"],
        query: Float[Tensor, "B T H"],
        step: Int[Tensor, " B"],
    ) -> tuple[Float[Tensor, "B N T S"], Bool[Tensor, "B 1 T S"]]:
        logit = self.v(tanh(self.projection(query)))  # [B, T, 1]
        precise = torch.promote_types(logit.dtype, torch.float32)  # bfloat16 cannot count to a sentence's length
        center = (mask.sum(dim=1)[:, None, None] - 1) * torch.sigmoid(logit.to(precise))
        distance = _positions(mask) - center  # [B, T, S]
        gaussian = -distance.square() / (2 * (self.half_width / 2) ** 2)
        return scores + gaussian.unsqueeze(1), _within(distance, self.half_width, mask)


def _positions(mask: Tensor) -> Tensor:
    return torch.arange(mask.size(1), device=mask.device)


def _within(distance: Tensor, half_width: int, mask: Tensor) -> Tensor:
    return ((distance.abs() <= half_width) & mask.unsqueeze(1)).unsqueeze(1)  # [B, 1, T, S]


WINDOWS: dict[str, type[nn.Module]] = {
    "none": Global,
    "local_m": LocalMonotonic,
    "local_p": LocalPredictive,
}
