"""The speed of training: some optimizer steps of a new model."""

import time
from functools import partial
from itertools import islice

import torch

from seq2seq.config import Config
from seq2seq.data.batching import collate
from seq2seq.data.tokenized import Pairs, StoredPairs
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.device import choose_precision
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.batches import StoredBatches
from seq2seq.training.optimizer import learning_rate
from seq2seq.training.processes import Processes
from seq2seq.training.state import Progress, TrainingState, build_state
from seq2seq.training.step import train_step

WARMUP = 2
"""Steps before the clock starts: the first ones allocate memory."""


def tokens_per_second(config: Config, tokenizer: Tokenizer, pairs: StoredPairs, steps: int) -> float:
    """Target tokens (</s> included) a second over so many optimizer steps of a new model on the first batches.

    Where CUDA graphs are recorded, that is done before, in a step on each of them.
    """
    training = config.training
    state = new_state(config, tokenizer.source_size, tokenizer.target_size)
    device = state.device
    batches = StoredBatches(pairs, training.batch_tokens, training.seed)
    rate = partial(learning_rate, training, total_steps=batches.per_epoch)

    chosen = list(islice(batches.after(Progress()), WARMUP + steps))

    def train_on(taken: Pairs, rate: float) -> None:
        train_step(state, [collate(*taken).to(device)], taken.num_target_tokens, rate)

    if state.graphs is not None:
        for each in chosen:
            train_on(each, rate(1))
    started = clock(device)
    for step, each in enumerate(chosen, start=1):
        if step == WARMUP + 1:
            state.progress.num_tokens, started = 0, clock(device)
        train_on(each, rate(step))
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
