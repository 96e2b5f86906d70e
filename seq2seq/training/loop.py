"""The training loop."""

import logging
import time
from pathlib import Path

import torch
from tqdm import tqdm

from seq2seq.config import Config
from seq2seq.data.batching import collate
from seq2seq.data.segmentation import SubwordSampler
from seq2seq.data.tokenized import StoredPairs
from seq2seq.device import choose_precision, choose_search_precision
from seq2seq.errors import TrainingStopped
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.batches import StoredBatches, StreamedBatches
from seq2seq.training.checkpoint import load_checkpoint, save_checkpoint
from seq2seq.training.fine_tuning import read_start
from seq2seq.training.optimizer import learning_rate
from seq2seq.training.preparation import prepare
from seq2seq.training.processes import Processes
from seq2seq.training.records import RECORD_EVERY, Records
from seq2seq.training.run_folder import has_checkpoint
from seq2seq.training.selection import is_finished, validate_and_keep_best
from seq2seq.training.state import Progress, build_state
from seq2seq.training.step import train_step
from seq2seq.training.stopping import StopSignals
from seq2seq.training.tensorboard import require_tensorboard
from seq2seq.training.word_vectors import require_widths, start_from_vectors

log = logging.getLogger(__name__)


def train(config: Config, run: Path, resume: bool = False) -> Progress:
    """Train a model in a run folder that `open_run` has opened; returns how far it came.

    Several processes, started by a launcher, all call this; the first of them writes.

    Raises:
        ConfigError, DataError: A setting or a corpus cannot be used.
        TrainingDiverged: The loss or the gradient is not finite; the message names the step.
        OutOfMemory: A batch is too large for the device.
        TrainingStopped: A signal came; a checkpoint of the step has been saved.
        ProcessLost: Another process has ended.
    """
    settings = config.training
    processes = Processes(settings.device)
    precision = choose_precision(settings.precision, processes.device)
    choose_search_precision(config.search.precision, processes.device)  # validation will search
    goes_on = resume and has_checkpoint(run)
    start = None if goes_on else read_start(config)  # before the corpus is read, as is the next
    if not goes_on and start is None:
        require_widths(config.model)
    if settings.tensorboard:
        require_tensorboard()
    with processes.main_first():
        data = prepare(config, run, processes, None if start is None else start.tokenizer)
    torch.manual_seed(settings.seed)
    model = Seq2Seq(config.model, data.tokenizer.source_size, data.tokenizer.target_size)
    if start is not None:
        model.load_state_dict(start.model.state_dict())
        start = None  # a second set of weights, no longer needed
    elif not goes_on:
        start_from_vectors(model, data.tokenizer, config.model.vectors)
    state = build_state(model.to(processes.device).train(), settings, precision, processes)
    progress, num_shares = state.progress, state.num_shares
    if processes.rank:
        torch.manual_seed(settings.seed + (processes.rank << 32))  # the same weights, but not the same dropout
    if goes_on:
        load_checkpoint(run / "checkpoints", state)
    records = Records(run, progress, settings.tensorboard) if processes.is_main else None
    tokens_per_step = settings.batch_tokens * num_shares
    alpha = config.tokenizer.sampling_alpha
    sampler = None if alpha is None else SubwordSampler(data.tokenizer, alpha, config.data.max_length)
    if isinstance(data.train, StoredPairs):
        batches = StoredBatches(data.train, tokens_per_step, settings.seed, sampler)
    else:
        batches = StreamedBatches(data.train, tokens_per_step, settings.seed, sampler)
    total_steps = count_steps(settings.max_epochs, settings.max_steps, batches.per_epoch)
    log.info(
        "%s on %s, %d x %d threads; %d parameters; %d steps of up to %d padded tokens in %d shares",
        str(precision).removeprefix("torch."), processes.device, processes.count, torch.get_num_threads(),
        sum(parameter.numel() for parameter in model.parameters()), total_steps, tokens_per_step, num_shares,
    )  # fmt: skip
    if sampler is not None:
        log.info("segmentations are sampled: a step has as many pairs as without, but more tokens")
    if resume:
        log.info("resuming after step %d", progress.step)

    started = time.perf_counter() - progress.seconds
    coming = batches.after(progress)
    hidden = None if processes.is_main else True  # None hides it where there is no terminal
    bar = tqdm(total=total_steps, initial=progress.step, desc="training", unit="step", disable=hidden)
    with StopSignals() as stop, bar:
        while not is_finished(progress, settings, total_steps):
            if not progress.validation_due:
                step_started = time.perf_counter()
                pairs = next(coming)
                mine = range(processes.rank, min(num_shares, len(pairs.targets)), processes.count)
                shares = [pairs.select(range(i, len(pairs.targets), num_shares)) for i in mine]
                micro_batches = [collate(*share).to(state.device) for share in shares]
                rate = learning_rate(settings, progress.step + 1, total_steps) * progress.rate_factor
                norm = train_step(state, micro_batches, pairs.num_target_tokens, rate)
                progress.step_seconds += time.perf_counter() - step_started
                progress.seconds = time.perf_counter() - started
                bar.update()
                if progress.step % RECORD_EVERY == 0 and records is not None:
                    records.append_training(progress, rate, norm, bar)
                progress.validation_due = progress.step % settings.validate_every == 0 or progress.step == total_steps
            if progress.validation_due:
                bar.set_description("validating")
                if not has_checkpoint(run):  # a model without a checkpoint could not be told from another's
                    save_checkpoint(run / "checkpoints", state)
                validate_and_keep_best(state, data, config, run, records, stop)
                bar.set_description("training")
            progress.seconds = time.perf_counter() - started
            signal = processes.largest(stop.received or 0)
            finished = is_finished(progress, settings, total_steps)
            if progress.step % settings.checkpoint_every == 0 or finished or signal:
                save_checkpoint(run / "checkpoints", state)
            if signal and not finished:
                raise TrainingStopped(signal, progress.step, total_steps)
    if records is not None:
        records.close()
    processes.end()
    log.info("finished after %d steps, %.0f seconds", progress.step, progress.seconds)
    best = progress.best
    log.info("best validation BLEU %.2f, chrF %.2f, loss %.3f; the model is in %s", *best, run)
    log.info('next: seq2seq evaluate %s, or seq2seq translate %s "..."', run, run)
    return progress


def count_steps(max_epochs: int | None, max_steps: int | None, batches_per_epoch: int | None) -> int:
    limits = [] if max_steps is None else [max_steps]
    if max_epochs is not None and batches_per_epoch is not None:
        limits.append(max_epochs * batches_per_epoch)
    return min(limits)
