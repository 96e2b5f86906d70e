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

from seq2seq.config import Config
from seq2seq.data.batching import Batch, collate, epoch_batches
from seq2seq.device import choose_device, choose_precision, mixed_precision
from seq2seq.errors import TrainingDiverged
from seq2seq.files import write_atomically
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.checkpoint import Progress, load_checkpoint, save_checkpoint, save_weights
from seq2seq.training.curves import plot_curves
from seq2seq.training.loss import coverage_loss, cross_entropy
from seq2seq.training.optimizer import build_optimizer, learning_rate
from seq2seq.training.preparation import TrainingData, prepare
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
    """
    settings = config.training
    torch.manual_seed(settings.seed)
    device = choose_device(settings.device)
    precision = choose_precision(settings.precision, device)
    if not resume:
        require_widths(config.model)  # before the corpus is read
    data = prepare(config, run)
    model = Seq2Seq(config.model, data.tokenizer.source_size, data.tokenizer.target_size).to(device).train()
    if not resume:
        start_from_vectors(model, data.tokenizer, config.model.vectors)
    optimizer = build_optimizer(model, settings)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
    progress = load_checkpoint(run / "checkpoints", model, optimizer, scaler) if resume else Progress()
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
    if progress.step:
        log.info("resuming after step %d", progress.step)

    started = time.perf_counter() - progress.seconds
    batches = remaining_batches(order, progress)
    with tqdm(total=total_steps, initial=progress.step, desc="training", unit="step", disable=None) as bar:
        while not is_finished(progress, settings.patience, total_steps):
            step_started = time.perf_counter()
            batch = collate(*data.train.select(next(batches))).to(device)
            rate = learning_rate(settings, progress.step + 1, total_steps)
            loss, num_tokens, norm = train_step(
                model, batch, optimizer, scaler, rate, config, precision, progress.step + 1
            )
            progress.step += 1
            progress.loss_sum += loss
            progress.num_tokens += num_tokens
            progress.step_seconds += time.perf_counter() - step_started
            progress.seconds = time.perf_counter() - started
            bar.update()
            if progress.step % RECORD_EVERY == 0:
                record_training(run, progress, rate, norm, bar)
            if progress.step % settings.validate_every == 0 or progress.step == total_steps:
                validate_and_keep_best(model, data, config, run, precision, progress)
                progress.seconds = time.perf_counter() - started
            if progress.step % settings.checkpoint_every == 0 or is_finished(progress, settings.patience, total_steps):
                save_checkpoint(run / "checkpoints", model, optimizer, scaler, progress, settings.keep_checkpoints)
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


def train_step(
    model: Seq2Seq,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    rate: float,
    config: Config,
    precision: torch.dtype,
    step: int,
) -> tuple[float, int, float]:
    """One optimizer step; returns the cross-entropy's sum, the target tokens and the gradient's norm before clipping.

    Raises:
        TrainingDiverged: The loss or the gradient is not finite; the weights are untouched.
    """
    targets = batch.target_out[batch.target_mask]
    with mixed_precision(batch.source.device, precision):
        logits, weights = model(batch.source, batch.source_mask, batch.target_in, batch.target_mask)
    loss = cross_entropy(logits, targets, config.training.label_smoothing)
    total = loss
    if config.training.coverage_loss > 0:
        total = loss + config.training.coverage_loss * coverage_loss(weights, batch.target_mask)
    optimizer.zero_grad()
    scaler.scale(total / len(targets)).backward()
    scaler.unscale_(optimizer)
    limit = config.training.clip_grad_norm
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), torch.inf if limit is None else limit)
    loss_sum, norm_value = torch.stack([loss.detach(), norm]).tolist()  # the step's one wait for the device
    # A scaler skips a step with such a gradient by itself.
    if not (math.isfinite(loss_sum) and (math.isfinite(norm_value) or scaler.is_enabled())):
        raise TrainingDiverged(
            f"step {step}: the loss is {loss_sum:g} and the gradient's norm {norm_value:g}, at learning rate {rate:g}; "
            "the weights saved before are good: lower training.learning_rate or lengthen training.warmup_steps"
        )
    for group in optimizer.param_groups:
        group["lr"] = rate
    scaler.step(optimizer)
    scaler.update()
    return loss_sum, len(targets), norm_value


def record_training(run: Path, progress: Progress, rate: float, norm: float, bar: tqdm) -> None:
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
    model: Seq2Seq, data: TrainingData, config: Config, run: Path, precision: torch.dtype, progress: Progress
) -> None:
    result = validate(model, data, config, precision)
    if (result.bleu, -result.loss) > (progress.best_bleu, -progress.best_loss):
        progress.best_bleu, progress.best_loss, progress.stale_validations = result.bleu, result.loss, 0
        save_weights(model, run / "model.safetensors")
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
