"""What a training step works on, and how far a run has come."""

import copy
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from seq2seq.config import TrainingConfig
from seq2seq.data.batching import Batch
from seq2seq.device import keep_code
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.gradients import add_gradients
from seq2seq.training.graphs import GraphedPass
from seq2seq.training.optimizer import build_optimizer, trained_parameters
from seq2seq.training.processes import Processes


class Scores(NamedTuple):
    """Of a validation."""

    bleu: float = -1.0
    chrf: float = -1.0
    loss: float = float("inf")

    def better_than(self, other: "Scores", metric: str) -> bool:
        """By BLEU, chrF or loss; of equal ones the lower loss is better."""
        return self.rank(metric) > other.rank(metric)

    def rank(self, metric: str) -> tuple[float, float]:
        return (-self.loss if metric == "loss" else getattr(self, metric), -self.loss)


@dataclass
class Progress:
    """How far a run has come."""

    step: int = 0
    """Optimizer steps done."""
    epoch: int = 0
    batches_done: int = 0
    """Batches done in this epoch; in streaming, of this buffer."""
    rows_before: int = 0
    """In streaming, the pairs of this epoch before this buffer, and the SHA-256 of their text."""
    sha256_before: str = ""
    validation_due: bool = False
    """The step's validation is still to come: a signal interrupted it."""
    best: Scores = field(default_factory=Scores)
    kept: dict[str, Scores] = field(default_factory=dict)
    """Steps whose weights are among the `training.keep_best` best."""
    stale_validations: int = 0
    """Validations since the best one."""
    plateau_validations: int = 0
    """Validations since the best one or the last fall of the learning rate, whichever was later."""
    rate_factor: float = 1.0
    """What the schedule `plateau` has made of the learning rate."""
    skipped_steps: int = 0
    """Updates left out because the loss or the gradient was not finite."""
    seconds: float = 0.0
    """Time spent training, validating and saving, over all sessions."""
    loss_sum: float = 0.0
    """Training loss in nats since the last record in metrics.jsonl, the target tokens and the time it took."""
    num_tokens: int = 0
    step_seconds: float = 0.0


@dataclass
class TrainingState:
    """What a training step works on."""

    model: Seq2Seq
    averaged: Seq2Seq | None
    """The moving average of its weights (`training.ema_decay`)."""
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    precision: torch.dtype
    progress: Progress
    processes: Processes
    settings: TrainingConfig
    graphs: GraphedPass | None = None
    """On a GPU, what `add_gradients` does, recorded for each shape of batch. It made the gradients, and keeps them."""

    def add_gradients(self, batch: Batch, num_tokens: int) -> torch.Tensor:
        """From a batch and the target tokens of its whole step to the batch's loss; adds to the parameters' gradients.

        Raises:
            ConfigError: The model cannot be recorded as a CUDA graph.
        """
        if self.graphs is not None:
            return self.graphs(batch, num_tokens)
        return add_gradients(self.model, self.settings, self.precision, self.scaler, batch, num_tokens)

    @property
    def device(self) -> torch.device:
        return self.processes.device

    @property
    def judged(self) -> Seq2Seq:
        """The weights that are validated and kept."""
        return self.model if self.averaged is None else self.averaged

    @property
    def num_shares(self) -> int:
        """Into how many parts a step's batch is cut: one for each process and each accumulation."""
        return self.settings.accumulate * self.processes.count


def copy_model(model: Seq2Seq) -> Seq2Seq:
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()  # cuDNN wants them side by side, where a copy does not put them
    return copied


def build_state(
    model: Seq2Seq, settings: TrainingConfig, precision: torch.dtype, processes: Processes
) -> TrainingState:
    """The state before the first step."""
    keep_code(48, 8)  # a step has some 35 shapes; few come again soon
    averaged = None if settings.ema_decay is None else copy_model(model).requires_grad_(False)
    optimizer = build_optimizer(model, settings)
    scaler = torch.amp.GradScaler(processes.device.type, enabled=precision == torch.float16)
    graphs = None
    if processes.device.type == "cuda" and settings.cuda_graphs and settings.gradient_checkpoint_interval is None:
        run = partial(add_gradients, model, settings, precision, scaler, padded=True)
        graphs = GraphedPass(run, trained_parameters(model))
    return TrainingState(model, averaged, optimizer, scaler, precision, Progress(), processes, settings, graphs)
