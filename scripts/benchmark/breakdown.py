"""The cost of one training step and of one step of a beam search, by part, on the processor and on random ids."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.utils.flop_counter import FlopCounterMode

import seq2seq.model.decoder
import seq2seq.training.gradients
import seq2seq.training.loss
from benchmark.parts import Part, Place, Times, times
from benchmark.train import setting_config
from measuring.environment import Environment, environment
from measuring.training_speed import new_state
from seq2seq.config import Config, Section
from seq2seq.data.batching import Batch, collate
from seq2seq.device import choose_precision, choose_search_precision, mixed_precision
from seq2seq.files import write_atomically
from seq2seq.inference.options import search_options
from seq2seq.inference.packing import pack
from seq2seq.inference.search import search
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.state import TrainingState
from seq2seq.training.step import train_step

VOCABULARY = 8000
LENGTH = 14
"""Pieces of a sentence, </s> aside: about Multi30k's mean."""
SENTENCES, BEAM = 64, 5
REPEATS = 7
SIDE = 4096
"""Of the square matrices whose product is the measure of the machine."""


class Breakdown(Section):
    """What breakdown.json holds."""

    environment: Environment
    threads: int
    setting: str
    overrides: list[str]
    precision: str
    num_tokens: int
    """Target tokens of the training step's batch."""
    step: Times
    flops: int
    """Of the step's matrix products, forward and backward."""
    peak_flops: float
    """A second: what the machine reaches in one large product of this precision."""
    search_precision: str
    beam_step: Times
    num_rows: int
    """Hypotheses that a step of the search reads on, on average."""

    @property
    def share_of_peak(self) -> float:
        return self.flops / self.step.seconds / self.peak_flops


def measure_breakdown(results: Path, base: str, setting: str, overrides: list[str], threads: int) -> Breakdown:
    """Measure in this process, with so many threads."""
    config = setting_config(base, setting, ["training.device=cpu", *overrides])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        precision = choose_precision(config.training.precision, torch.device("cpu"))
        state = new_state(config, VOCABULARY, VOCABULARY)
        sentences = max(1, config.training.batch_tokens // (LENGTH + 1))
        batch = random_batch(sentences, LENGTH, VOCABULARY)
        step = training_times(state, batch)
        flops = count_flops(state, batch)
        beam_step, num_rows = beam_step_times(config, state.model)
        found = Breakdown(
            environment=environment(),
            threads=threads,
            setting=setting,
            overrides=overrides,
            precision=str(precision).removeprefix("torch."),
            num_tokens=int(batch.target_mask.sum()),
            step=step,
            flops=flops,
            peak_flops=peak_flops(precision),
            search_precision=config.search.precision,
            beam_step=beam_step,
            num_rows=num_rows,
        )
    finally:
        torch.set_num_threads(before)
    results.mkdir(parents=True, exist_ok=True)
    write_atomically(results / "breakdown.json", found.model_dump_json(indent=2) + "\n")
    return found


def random_batch(num_sentences: int, length: int, vocabulary: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(4, vocabulary, (2, num_sentences, length), generator=generator).tolist()
    return collate(*ids)


def training_times(state: TrainingState, batch: Batch, repeats: int = REPEATS) -> Times:
    places: list[Place] = [
        *model_places(state.model),
        (seq2seq.training.gradients, "token_loss", "output layer"),
        (seq2seq.training.loss, "to_gradient", "loss"),
        (torch.nn.utils, "clip_grad_norm_", "norm of the gradient"),
        (state.optimizer, "step", "optimizer"),
    ]
    return times(lambda: _step(state, batch), places, repeats)


def _step(state: TrainingState, batch: Batch) -> None:
    train_step(state, [batch], int(batch.target_mask.sum()), state.settings.learning_rate)


def model_places(model: Seq2Seq) -> list[Place]:
    """The functions of a model by part; of the decoder those that its kind has."""
    decoder: Any = model.decoder
    places: list[Place] = [
        (model.source_embedding, "forward", "embeddings"),
        (model.target_embedding, "forward", "embeddings"),
        (model.encoder, "forward", "encoder"),
        (decoder.attention, "remember", "attention"),
        (decoder.attention, "forward", "attention"),
        (decoder.bridge, "forward", "recurrence"),
        (decoder.readout, "forward", "readout"),
        (model.output_layer, "forward", "output layer"),
        (seq2seq.model.decoder, "run_sequence", "recurrence"),
    ]
    for name in ("embedding_gates", "context_gates", "feed_gates", "stack"):
        if hasattr(decoder, name):
            places.append((getattr(decoder, name), "forward", "recurrence"))
    return places


def count_flops(state: TrainingState, batch: Batch) -> int:
    """Multiplications and additions of the matrix products of one training step."""
    with flop_counter() as counter:
        _step(state, batch)
    return counter.get_total_flops()


def flop_counter() -> FlopCounterMode:
    """Torch's own, which does not know oneDNN's products, nor the LSTM that a processor has in one operation."""
    aten = torch.ops.aten
    more = {
        torch.ops.mkldnn._linear_pointwise: _linear_flops,
        aten.mkldnn_rnn_layer: _lstm_flops,
        aten.mkldnn_rnn_layer_backward: _lstm_backward_flops,
    }
    return FlopCounterMode(display=False, custom_mapping=more)


def _linear_flops(inputs: Sequence[int], weight: Sequence[int], *_: Any, **__: Any) -> int:
    """From the shapes [n, I] and [O, I]."""
    return 2 * math.prod(inputs) * weight[0]


def _lstm_flops(inputs: Sequence[int], weight: Sequence[int], recurrent: Sequence[int], *_: Any, **__: Any) -> int:
    """From the shapes [S, B, I], [4H, I] and [4H, H]."""
    return 2 * inputs[0] * inputs[1] * (weight[0] * weight[1] + recurrent[0] * recurrent[1])


def _lstm_backward_flops(*shapes: Any, **keywords: Any) -> int:
    return 2 * _lstm_flops(*shapes, **keywords)


def peak_flops(precision: torch.dtype, side: int = SIDE) -> float:
    """A second, in the best of a few products of two large square matrices."""
    left, right = (torch.randn(side, side).to(precision) for _ in range(2))
    best = float("inf")
    for _ in range(4):
        started = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def beam_step_times(config: Config, model: Seq2Seq, repeats: int = REPEATS) -> tuple[Times, int]:
    """Of one step in the search for the translations of a batch, and the rows that a step has on average. None may end
    early, as the model has learned nothing; the encoder's time is shared out over the steps."""
    device = torch.device("cpu")
    precision = choose_search_precision(config.search.precision, device)
    model = pack(model.eval(), precision)  # as the translator has it
    ratio = config.search.max_length_ratio
    changes = {"beam_size": BEAM, "min_length_ratio": ratio, "no_repeat_ngram_size": 0, "coverage_penalty": 0.0}
    options = search_options(config.search, {}).model_copy(update=changes)
    source, mask = random_batch(SENTENCES, LENGTH, VOCABULARY)[:2]
    num_rows: list[int] = []
    decode = model.decode

    def counted(target_in: torch.Tensor, *arguments: Any) -> Any:
        num_rows.append(len(target_in))
        return decode(target_in, *arguments)

    places: list[Place] = [
        *model_places(model),
        (torch, "log_softmax", "log-softmax"),
        (torch.Tensor, "topk", "top-k"),
    ]

    def call() -> None:
        num_rows.clear()
        with mixed_precision(device, precision):
            search([model], source, mask, options)

    with patch.object(model, "decode", counted):
        found = times(call, places, repeats)
    steps = len(num_rows)
    parts = [Part(name=p.name, forward=p.forward / steps, backward=0.0) for p in found.parts]
    return Times(seconds=found.seconds / steps, slowed=found.slowed, parts=parts), sum(num_rows) // steps
