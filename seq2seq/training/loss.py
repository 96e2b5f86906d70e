"""The training losses."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq.data.tokenizer import PAD

CHUNK = 2**19
"""Logits treated at a time: their float32 copies stay in the processor's cache."""


def cross_entropy(
    logits: Float[Tensor, "n V"], targets: Int[Tensor, " n"], label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Cross-entropy in nats, summed over real target tokens; the caller divides by their number.

    Label smoothing spreads that share of the target over all V pieces (Szegedy et al. 2016, arXiv:1512.00567,
    section 7).
    Padding among the targets adds nothing. Equal to `torch.nn.functional.cross_entropy` of float32 logits with
    `reduction="sum"` and padding as its `ignore_index`; on a GPU, where many chunks were many launches, it is that.
    """
    if logits.is_cuda:
        return nn.functional.cross_entropy(
            logits.float(), targets, ignore_index=PAD, reduction="sum", label_smoothing=label_smoothing
        )
    real = targets != PAD
    if not real.all():
        logits, targets = logits[real], targets[real]
    return _CrossEntropy.apply(logits, targets, label_smoothing)


def coverage_loss(weights: Float[Tensor, "B N T S"], target_mask: Bool[Tensor, "B T"]) -> Float[Tensor, ""]:
    """A price on looking twice at a place, See et al. 2017, arXiv:1704.04368, equation 12.

    Of each target token the sum over source positions of min(weight, sum of the weights of the steps before); summed
    over real target tokens, mean over heads.
    """
    before = weights.cumsum(dim=2) - weights
    return (torch.minimum(weights, before).sum(dim=-1).mean(dim=1) * target_mask).sum()


class _CrossEntropy(torch.autograd.Function):
    """Computes the gradient, probabilities - target distribution, along with the loss, while the rows are at hand.

    The backward pass may run once only.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        gradient = torch.empty_like(logits)
        loss = torch.zeros((), device=logits.device)
        elsewhere = label_smoothing / logits.size(1)
        count = max(1, CHUNK // logits.size(1))
        for rows, chosen, out in zip(logits.split(count), targets.split(count), gradient.split(count), strict=True):
            rows, chosen = rows.float(), chosen.unsqueeze(1)
            probs = torch.softmax(rows, dim=-1)
            # log-softmax is rows - log_sum, which the likeliest piece tells: its probability is at least 1 / V
            log_sum = rows.amax(dim=1) - probs.amax(dim=1).log()
            loss += (log_sum - (1 - label_smoothing) * rows.gather(1, chosen).squeeze(1)).sum()
            if elsewhere > 0:
                loss -= elsewhere * rows.sum()
                probs -= elsewhere
            out.copy_(probs.scatter_add_(1, chosen, probs.new_full(chosen.shape, label_smoothing - 1)))
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(gradients[0]), None, None  # in its place: it is as large as the logits
