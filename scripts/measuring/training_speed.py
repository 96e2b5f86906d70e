"""The speed of training: some optimizer steps of a new model."""

import time
from functools import partial
from itertools import islice

import torch

from seq2seq.config import Config
from seq2seq.data.batching import collate
from seq2seq.data.tokenized import StoredPairs
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.device import choose_precision
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.batches import StoredBatches
from seq2seq.training.optimizer import learning_rate
from seq2seq.training.processes import Processes
from seq2seq.training.state import Progress, TrainingState, build_state
from seq2seq.training.step import train_step

WARMUP = 2
"""Steps before the clock starts: the first ones allocate memory. Where CUDA graphs are recorded, all that are timed."""


def tokens_per_second(config: Config, tokenizer: Tokenizer, pairs: StoredPairs, steps: int) -> float:
    """Target tokens (</s> included) a second over so many optimizer steps of a new model on the first batches."""
    training = config.training
    state = new_state(config, tokenizer.source_size, tokenizer.target_size)
    device = state.device
    batches = StoredBatches(pairs, training.batch_tokens, training.seed)
    rate = partial(learning_rate, training, total_steps=batches.per_epoch)

    chosen = list(islice(batches.after(Progress()), WARMUP + steps))
    before = chosen if state.keeps_gradients else chosen[:WARMUP]
    started = clock(device)
    for step, pairs_of_step in enumerate([*before, *chosen[WARMUP:]], start=1):
        if step == len(before) + 1:
            state.progress.num_tokens, started = 0, clock(device)
        batch = collate(*pairs_of_step).to(device)
        train_step(state, [batch], pairs_of_step.num_target_tokens, rate(step))
    return state.progress.num_tokens / (clock(device) - started)


def clock(device: torch.device) -> float:
    """The time in seconds when all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def new_state(config: Config, source_size: int, target_size: int) -> TrainingState:
    """What a training begins with, for vocabularies of these sizes."""
    torch.manual_seed(config.training.seed)
    processes = Processes(config.training.device)
    model = Seq2Seq(config.model, source_size, target_size).to(processes.device).train()
    precision = choose_precision(config.training.precision, processes.device)
    return build_state(model, config.training, precision, processes)
