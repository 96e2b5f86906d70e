"""The training loop."""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from seq2seq.config import Config, TrainingConfig
from seq2seq.data.batching import Batch, collate, epoch_batches
from seq2seq.device import choose_device, choose_precision, mixed_precision
from seq2seq.errors import TrainingDiverged, TrainingStopped
from seq2seq.files import write_atomically
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.checkpoint import Progress, TrainingState, load_checkpoint, save_checkpoint, save_weights
from seq2seq.training.curves import plot_curves
from seq2seq.training.loss import coverage_loss, cross_entropy
from seq2seq.training.optimizer import build_optimizer, learning_rate
from seq2seq.training.preparation import TrainingData, prepare
from seq2seq.training.run_folder import has_checkpoint
from seq2seq.training.stopping import Interrupted, StopSignals
from seq2seq.training.validation import validate
from seq2seq.training.word_vectors import require_widths, start_from_vectors

log = logging.getLogger(__name__)

RECORD_EVERY = 50
"""Optimizer steps between training records in metrics.jsonl."""
NUM_SAMPLES = 3
"""Translations shown at each validation."""


def train(config: Config, run: Path, resume: bool = False) -> Progress:
    """Train a model in a run folder that `open_run` has opened; returns how far it came.

    Raises:
        ConfigError, DataError: A setting or a corpus cannot be used.
        TrainingDiverged: The loss or the gradient is not finite; the message names the step.
        TrainingStopped: A signal came; a checkpoint of the step has been saved.
    """
    settings = config.training
    torch.manual_seed(settings.seed)
    device = choose_device(settings.device)
    precision = choose_precision(settings.precision, device)
    goes_on = resume and has_checkpoint(run)
    if not goes_on:
        require_widths(config.model)  # before the corpus is read
    data = prepare(config, run)
    model = Seq2Seq(config.model, data.tokenizer.source_size, data.tokenizer.target_size).to(device).train()
    if not goes_on:
        start_from_vectors(model, data.tokenizer, config.model.vectors)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
    progress = Progress()
    state = TrainingState(model, build_optimizer(model, settings), scaler, precision, progress)
    if goes_on:
        load_checkpoint(run / "checkpoints", state)
    drop_records_after(run / "metrics.jsonl", progress.step)
    order = partial(epoch_batches, *data.train.lengths, settings.batch_tokens, settings.seed)
    batches_per_epoch = len(order(epoch=0))
    total_steps = count_steps(settings.max_epochs, settings.max_steps, batches_per_epoch)
    log.info(
        "%s on %s, %d threads; %d parameters; %d steps of about %d target tokens",
        str(precision).removeprefix("torch."), device, torch.get_num_threads(),
        sum(parameter.numel() for parameter in model.parameters()), total_steps,
        sum(len(ids) + 1 for ids in data.train.targets) // batches_per_epoch,
    )  # fmt: skip
    if resume:
        log.info("resuming after step %d", progress.step)

    started = time.perf_counter() - progress.seconds
    batches = remaining_batches(order, progress)
    with StopSignals() as stop, tqdm(total=total_steps, initial=progress.step, desc="training", unit="step",
                                     disable=None) as bar:  # fmt: skip
        while not is_finished(progress, settings.patience, total_steps):
            if not progress.validation_due:
                step_started = time.perf_counter()
                batch = collate(*data.train.select(next(batches))).to(device)
                rate = learning_rate(settings, progress.step + 1, total_steps)
                norm = train_step(state, batch, rate, settings)
                progress.step_seconds += time.perf_counter() - step_started
                bar.update()
                if progress.step % RECORD_EVERY == 0:
                    progress.seconds = time.perf_counter() - started
                    record_training(run, progress, rate, norm, bar)
                progress.validation_due = progress.step % settings.validate_every == 0 or progress.step == total_steps
            if progress.validation_due:
                validate_and_keep_best(state, data, config, run, stop)
            progress.seconds = time.perf_counter() - started
            finished = is_finished(progress, settings.patience, total_steps)
            if progress.step % settings.checkpoint_every == 0 or finished or stop.received:
                save_checkpoint(run / "checkpoints", state, settings.keep_checkpoints)
            if stop.received and not finished:
                raise TrainingStopped(
                    stop.received,
                    f"stopped by {stop.received.name} after step {progress.step} of {total_steps}, which is saved; "
                    "continue with --resume",
                )
    log.info("finished after %d steps, %.0f seconds", progress.step, progress.seconds)
    log.info("best validation BLEU %.2f; the model is in %s", progress.best_bleu, run)
    return progress


def remaining_batches(order: Callable[..., list[list[int]]], progress: Progress) -> Iterator[list[int]]:
    """The batches from where the run stands, epoch after epoch without end; keeps their count in `progress`."""
    while True:
        for indices in order(epoch=progress.epoch)[progress.batches_done :]:
            progress.batches_done += 1
            yield indices
        progress.epoch, progress.batches_done = progress.epoch + 1, 0


def train_step(state: TrainingState, batch: Batch, rate: float, settings: TrainingConfig) -> float:
    """One optimizer step, counted in `state.progress`; returns the gradient's norm before clipping.

    Raises:
        TrainingDiverged: The loss or the gradient is not finite; the weights are untouched.
    """
    model, optimizer, scaler, progress = state.model, state.optimizer, state.scaler, state.progress
    targets = batch.target_out[batch.target_mask]
    with mixed_precision(batch.source.device, state.precision):
        logits, weights = model(batch.source, batch.source_mask, batch.target_in, batch.target_mask)
    loss = cross_entropy(logits, targets, settings.label_smoothing)
    total = loss
    if settings.coverage_loss > 0:
        total = loss + settings.coverage_loss * coverage_loss(weights, batch.target_mask)
    optimizer.zero_grad()
    scaler.scale(total / len(targets)).backward()
    scaler.unscale_(optimizer)
    limit = settings.clip_grad_norm
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), torch.inf if limit is None else limit)
    loss_sum, norm_value = torch.stack([loss.detach(), norm]).tolist()  # the step's one wait for the device
    progress.step += 1
    if math.isfinite(loss_sum) and math.isfinite(norm_value):
        for group in optimizer.param_groups:
            group["lr"] = rate
        scaler.step(optimizer)
        progress.loss_sum += loss_sum
        progress.num_tokens += len(targets)
    elif not (scaler.is_enabled() and math.isfinite(loss_sum) and scaler.get_scale() > 1):  # a scale too large, else
        progress.skipped_steps += 1
        if progress.skipped_steps > settings.skip_nonfinite_steps:
            raise TrainingDiverged(explain_divergence(state, batch, loss_sum, norm_value, rate, settings))
        log.warning("step %d: update left out, loss %g, gradient's norm %g", progress.step, loss_sum, norm_value)
    scaler.update()
    return norm_value


def explain_divergence(
    state: TrainingState, batch: Batch, loss: float, norm: float, rate: float, settings: TrainingConfig
) -> str:
    """What led to a loss or gradient that is not finite, in one line."""
    weights = dict(state.model.named_parameters())
    bad_weights = [name for name, weight in weights.items() if not weight.isfinite().all()]
    bad_gradients = [
        name for name, weight in weights.items() if weight.grad is not None and not weight.grad.isfinite().all()
    ]
    where = f"weights {bad_weights[0]}" if bad_weights else f"gradient of {bad_gradients[0]}" if bad_gradients else ""
    rows, longest = batch.source.size(0), (batch.source.size(1), batch.target_in.size(1))
    skipped = state.progress.skipped_steps - 1
    return (
        f"step {state.progress.step}: the loss is {loss:g} and the gradient's norm {norm:g}, "
        f"at learning rate {rate:g}, on a batch of {rows} pairs "
        f"of up to {longest[0]} source and {longest[1]} target tokens"
        + (f"; not finite first in the {where}" if where else "")
        + (f"; {skipped} updates were left out before (training.skip_nonfinite_steps)" if skipped else "")
        + "; the weights saved before are good: lower training.learning_rate or lengthen training.warmup_steps"
    )


def record_training(run: Path, progress: Progress, rate: float, norm: float, bar: tqdm) -> None:
    if progress.num_tokens == 0:
        return  # every update was left out
    loss = progress.loss_sum / progress.num_tokens
    speed = progress.num_tokens / progress.step_seconds
    append_record(
        run,
        {
            "kind": "training", "step": progress.step, "epoch": progress.epoch, "loss": loss, "learning_rate": rate,
            "tokens_per_second": speed, "gradient_norm": norm, "seconds": progress.seconds,
        },
    )  # fmt: skip
    bar.set_postfix(loss=f"{loss:.3f}", tokens_per_second=f"{speed:.0f}")
    progress.loss_sum, progress.num_tokens, progress.step_seconds = 0.0, 0, 0.0


def validate_and_keep_best(
    state: TrainingState, data: TrainingData, config: Config, run: Path, stop: StopSignals
) -> None:
    """Score the model; keep it if it is the best. After a signal the validation stays due."""
    progress = state.progress
    try:
        with stop.may_interrupt():
            result = validate(state.model, data, config, state.precision)
    except Interrupted:
        return
    progress.validation_due = False
    if (result.bleu, -result.loss) > (progress.best_bleu, -progress.best_loss):
        progress.best_bleu, progress.best_loss, progress.stale_validations = result.bleu, result.loss, 0
        save_weights(state.model, run / "model.safetensors")
    else:
        progress.stale_validations += 1
    append_record(
        run,
        {
            "kind": "validation", "step": progress.step, "loss": result.loss, "perplexity": result.perplexity,
            "bleu": result.bleu, "chrf": result.chrf, "seconds": progress.seconds,
        },
    )  # fmt: skip
    plot_curves(run / "metrics.jsonl", run / "learning_curves.png")
    log.info(
        "step %d, epoch %d: validation loss %.3f, perplexity %.2f, BLEU %.2f%s, chrF %.2f",
        progress.step, progress.epoch + 1, result.loss, result.perplexity, result.bleu,
        " (best)" if progress.stale_validations == 0 else "", result.chrf,
    )  # fmt: skip
    for index in range(min(NUM_SAMPLES, len(result.translations))):
        log.info("  source      %s", data.validation_text.source[index])
        log.info("  reference   %s", data.validation_text.target[index])
        log.info("  translation %s", result.translations[index])


def is_finished(progress: Progress, patience: int | None, total_steps: int) -> bool:
    if progress.validation_due:
        return False
    return progress.step >= total_steps or (patience is not None and progress.stale_validations >= patience)


def count_steps(max_epochs: int | None, max_steps: int | None, batches_per_epoch: int) -> int:
    limits = [] if max_steps is None else [max_steps]
    if max_epochs is not None:
        limits.append(max_epochs * batches_per_epoch)
    return min(limits)


def append_record(run: Path, record: dict) -> None:
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def drop_records_after(path: Path, step: int) -> None:
    """Forget what an interrupted session recorded past its last checkpoint: those steps are taken again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with suppress(json.JSONDecodeError):  # a line that a kill cut short
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
    write_atomically(path, "".join(kept))
