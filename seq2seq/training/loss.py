"""The training losses."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq.data.tokenizer import PAD
from seq2seq.device import onednn_linear
from seq2seq.model.seq2seq import OutputLayer

CHUNK = 2**19
"""Logits treated at a time: their float32 copies stay in the processor's cache."""


def token_loss(
    layer: OutputLayer, output: Float[Tensor, "n O"], targets: Int[Tensor, " n"], label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Cross-entropy in nats, summed over real target tokens; the caller divides by their number.

    Label smoothing spreads that share of the target over all V pieces (Szegedy et al. 2016, arXiv:1512.00567,
    section 7). Padding among the targets adds nothing. Equal to `torch.nn.functional.cross_entropy` of the layer's
    logits in float32 with `reduction="sum"` and padding as its `ignore_index`; on a GPU, where many chunks were many
    launches, it is that.
    """
    if output.is_cuda:
        logits = layer(output).float()
        return nn.functional.cross_entropy(
            logits, targets, ignore_index=PAD, reduction="sum", label_smoothing=label_smoothing
        )
    if torch.is_autocast_enabled("cpu"):
        output = output.to(torch.get_autocast_dtype("cpu"))
    real = targets != PAD
    if not real.all():
        output, targets = output[real], targets[real]
    return _LinearCrossEntropy.apply(output, layer.weight, layer.bias, targets, label_smoothing)


def coverage_loss(weights: Float[Tensor, "B N T S"], target_mask: Bool[Tensor, "B T"]) -> Float[Tensor, ""]:
    """A price on looking twice at a place, See et al. 2017, arXiv:1704.04368, equation 12.

    Of each target token the sum over source positions of min(weight, sum of the weights of the steps before); summed
    over real target tokens, mean over heads.
    """
    before = weights.cumsum(dim=2) - weights
    return (torch.minimum(weights, before).sum(dim=-1).mean(dim=1) * target_mask).sum()


class _LinearCrossEntropy(torch.autograd.Function):
    """Output layer and cross-entropy in one, whose gradient by the logits takes the place of the logits."""

    @staticmethod
    def forward(
        ctx: Any, output: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float
    ) -> Tensor:
        weight = weight.to(output.dtype)
        logits = _linear(output, weight)
        loss, of_bias = to_gradient(logits, bias, targets, label_smoothing)
        ctx.save_for_backward(output, weight, logits, of_bias)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, Tensor, None, None]:
        output, weight, of_logits, of_bias = ctx.saved_tensors
        (scale,) = gradients
        of_output, of_weight = _linear(of_logits, weight.T).mul_(scale), None
        if ctx.needs_input_grad[1]:  # it may be frozen
            # here oneDNN would take much memory
            of_weight = (of_logits.T @ output).to(of_bias.dtype).mul_(scale)
        return of_output, of_weight, of_bias * scale, None, None


def _linear(inputs: Tensor, weight: Tensor) -> Tensor:
    """inputs W^T. In float32 PyTorch multiplies by MKL, which leaves AMD's AVX512 unused; oneDNN does not."""
    if inputs.dtype == torch.float32 and torch.backends.mkldnn.is_available():
        return onednn_linear(inputs, weight)
    return inputs @ weight.T


def to_gradient(
    logits: Float[Tensor, "n V"], bias: Float[Tensor, " V"], targets: Int[Tensor, " n"], label_smoothing: float
) -> tuple[Float[Tensor, ""], Float[Tensor, " V"]]:
    """Overwrite logits without their bias by the gradient, probabilities - target distribution, while the rows are at
    hand; returns the loss and the bias's gradient."""
    loss, of_bias = torch.zeros((), dtype=bias.dtype), torch.zeros_like(bias)
    elsewhere = label_smoothing / logits.size(1)
    count = max(1, CHUNK // logits.size(1))
    for chunk, chosen in zip(logits.split(count), targets.split(count), strict=True):
        rows, chosen = chunk.to(bias.dtype).add_(bias), chosen.unsqueeze(1)
        probs = torch.softmax(rows, dim=-1)
        # log-softmax is rows - log_sum, which the likeliest piece tells: its probability is at least 1 / V
        log_sum = rows.amax(dim=1) - probs.amax(dim=1).log()
        loss += (log_sum - (1 - label_smoothing) * rows.gather(1, chosen).squeeze(1)).sum()
        if elsewhere > 0:
            loss -= elsewhere * rows.sum()
            probs -= elsewhere
        probs.scatter_add_(1, chosen, probs.new_full(chosen.shape, label_smoothing - 1))
        of_bias += probs.sum(dim=0)
        chunk.copy_(probs)
    return loss, of_bias
