"""The speed of training: some optimizer steps of a new model."""

import time
from functools import partial

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
"""Steps before the clock starts: the first ones allocate memory."""


def tokens_per_second(config: Config, tokenizer: Tokenizer, pairs: StoredPairs, steps: int) -> float:
    """Target tokens (</s> included) a second over so many optimizer steps of a new model on the first batches."""
    training = config.training
    state = new_state(config, tokenizer.source_size, tokenizer.target_size)
    device = state.device
    batches = StoredBatches(pairs, training.batch_tokens, training.seed)
    rate = partial(learning_rate, training, total_steps=batches.per_epoch)

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    started = clock()
    for step, chosen in zip(range(1, WARMUP + steps + 1), batches.after(Progress()), strict=False):
        if step == WARMUP + 1:
            state.progress.num_tokens, started = 0, clock()
        batch = collate(*chosen).to(device)
        train_step(state, [batch], chosen.num_target_tokens, rate(step))
    return state.progress.num_tokens / (clock() - started)


def new_state(config: Config, source_size: int, target_size: int) -> TrainingState:
    """What a training begins with, for vocabularies of these sizes."""
    torch.manual_seed(config.training.seed)
    processes = Processes(config.training.device)
    model = Seq2Seq(config.model, source_size, target_size).to(processes.device).train()
    precision = choose_precision(config.training.precision, processes.device)
    return build_state(model, config.training, precision, processes)
