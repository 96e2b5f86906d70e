"""One training step: from a batch to better weights."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from seq2seq.config import TrainingConfig
from seq2seq.data.batching import Batch
from seq2seq.device import is_out_of_memory
from seq2seq.errors import OutOfMemory, TrainingDiverged
from seq2seq.training.state import TrainingState

log = logging.getLogger(__name__)


def train_step(state: TrainingState, batches: Sequence[Batch], num_tokens: int, rate: float) -> float:
    """One optimizer step, counted in `state.progress`; returns the gradient's norm before clipping.

    The loss is a sum over target tokens, divided by the number of them in all batches of all processes: however they
    are cut, the gradient is that of one big batch.

    Args:
        batches: This process's share, which may be none; their gradients are added up one by one.
        num_tokens: Target tokens in the shares of all processes.

    Raises:
        TrainingDiverged: The loss or the gradient is not finite; the weights are untouched.
        OutOfMemory: A batch is too large.
        ConfigError: The model cannot be recorded as a CUDA graph.
    """
    model, optimizer, scaler, settings = state.model, state.optimizer, state.scaler, state.settings
    loss = torch.zeros((), device=state.device)
    optimizer.zero_grad(set_to_none=state.graphs is None)
    for batch in batches:
        with memory_errors_named(batch, settings, state.graphs is not None):
            loss += state.add_gradients(batch, num_tokens)
    loss = state.processes.sum_gradients(model.parameters(), loss)
    scaler.unscale_(optimizer)
    limit = settings.clip_grad_norm
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), torch.inf if limit is None else limit)
    loss_value, norm_value = torch.stack([loss, norm]).tolist()  # the step's one wait for the device
    state.progress.step += 1
    if math.isfinite(loss_value) and math.isfinite(norm_value):
        for group in optimizer.param_groups:
            group["lr"] = rate
        scaler.step(optimizer)
        update_average(state)
        state.progress.loss_sum += loss_value
        state.progress.num_tokens += num_tokens
    elif not (scaler.is_enabled() and math.isfinite(loss_value) and scaler.get_scale() > 1):  # else a scale too large
        state.progress.skipped_steps += 1
        if state.progress.skipped_steps > settings.skip_nonfinite_steps:
            raise TrainingDiverged(explain_divergence(state, batches, loss_value, norm_value, rate))
        log.warning(
            "step %d: update left out, loss %g, gradient's norm %g", state.progress.step, loss_value, norm_value
        )
    scaler.update()
    return norm_value


@torch.no_grad()
def update_average(state: TrainingState) -> None:
    """average <- d average + (1 - d) weights, where d is at most (1 + t) / (10 + t) at step t: the start soon fades."""
    if state.averaged is None or state.settings.ema_decay is None:
        return
    decay = min(state.settings.ema_decay, (1 + state.progress.step) / (10 + state.progress.step))
    average = get_ema_multi_avg_fn(decay)
    average(list(state.averaged.parameters()), list(state.model.parameters()), 0)  # the last has no meaning


def describe_batch(batch: Batch) -> str:
    rows, sources = batch.source.shape
    return f"a batch of {rows} pairs of up to {sources} source and {batch.target_in.size(1)} target tokens"


def explain_divergence(state: TrainingState, batches: Sequence[Batch], loss: float, norm: float, rate: float) -> str:
    """What led to a loss or gradient that is not finite, in one line."""
    weights = dict(state.model.named_parameters())
    bad_weights = [name for name, weight in weights.items() if not weight.isfinite().all()]
    bad_gradients = [
        name for name, weight in weights.items() if weight.grad is not None and not weight.grad.isfinite().all()
    ]
    where = f"weights {bad_weights[0]}" if bad_weights else f"gradient of {bad_gradients[0]}" if bad_gradients else ""
    skipped = state.progress.skipped_steps - 1
    return (
        f"step {state.progress.step}: the loss is {loss:g} and the gradient's norm {norm:g}, at learning rate {rate:g}"
        + (f", on {describe_batch(batches[0])}" if batches else "")
        + (f"; not finite first in the {where}" if where else "")
        + (f"; {skipped} updates were left out before (training.skip_nonfinite_steps)" if skipped else "")
        + "; the weights saved before are good: lower training.learning_rate or lengthen training.warmup_steps"
    )


@contextmanager
def memory_errors_named(batch: Batch, settings: TrainingConfig, has_graphs: bool = False) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"out of memory on {describe_batch(batch)}: lower training.batch_tokens ({settings.batch_tokens} now) and "
            f"raise training.accumulate ({settings.accumulate} now) by the same factor, which trains the same, also "
            "with --resume; or set training.gradient_checkpoint_interval, or lower data.max_length"
            + ("; or set training.cuda_graphs=false: graphs may take twice the memory" if has_graphs else "")
        ) from error
