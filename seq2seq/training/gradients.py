"""Forward and backward pass over a batch."""

import torch
from torch import Tensor

from seq2seq.config import TrainingConfig
from seq2seq.data.batching import Batch
from seq2seq.device import mixed_precision
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.loss import coverage_loss, token_loss


def add_gradients(
    model: Seq2Seq,
    settings: TrainingConfig,
    precision: torch.dtype,
    scaler: torch.amp.GradScaler,
    batch: Batch,
    num_tokens: int | Tensor,
    *,
    padded: bool = False,
) -> Tensor:
    """Add the gradient of a batch's loss / `num_tokens` to the parameters'; returns the cross-entropy, a sum.

    Args:
        padded: Predict padding, too, which the loss leaves out: more work, but its size is told by the batch's shape,
            so that the processor need not wait for the device to count.
    """
    target_mask = None if padded else batch.target_mask
    with mixed_precision(batch.source.device, precision):
        interval = settings.gradient_checkpoint_interval
        output, weights = model.outputs(batch.source, batch.source_mask, batch.target_in, target_mask, interval)
        targets = batch.target_out if padded else batch.target_out[batch.target_mask]
        loss = token_loss(model.output_layer, output.flatten(0, -2), targets.flatten(), settings.label_smoothing)
    total = loss
    if settings.coverage_loss > 0:
        total = total + settings.coverage_loss * coverage_loss(weights, batch.target_mask)
    scaler.scale(total / num_tokens).backward()
    return loss.detach()
