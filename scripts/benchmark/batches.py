"""How fast training and translation are over the sentences of a batch, up to as many as a GPU wants; on random ids."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from benchmark.breakdown import random_batch
from benchmark.train import SETTINGS, setting_config
from measuring.environment import Environment, environment
from measuring.training_speed import clock, new_state
from seq2seq.config import Config, Section
from seq2seq.files import write_atomically
from seq2seq.inference.batch_search import BatchSearch, SourceBatch
from seq2seq.inference.options import search_options
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.step import train_step

LENGTH = 25
"""Pieces of a sentence, </s> aside: about those of news."""
STEPS, SEARCHES = 10, 3
PRECISION = "bfloat16"
"""Of the translations' products."""
SIZE = 1024
LARGE = [
    f"model.embedding_size={SIZE}",
    f"model.encoder={{cell: lstm, hidden_size: {SIZE // 2}, num_layers: 4, bidirectional: true, dropout: 0.2}}",
    f"model.decoder={{style: luong, cell: lstm, hidden_size: {SIZE}, num_layers: 4, input_feeding: false, "
    f"bridge: projection, dropout: 0.2, output_size: {SIZE}}}",
]


class Kind(NamedTuple):
    setting: str
    changes: list[str]
    vocabulary: int


MODELS = {name: Kind(name, [], 8000) for name in SETTINGS} | {
    "lstm-4x1024": Kind("luong-gru-no-feeding", LARGE, 32000)  # as wide and deep as GNMT v2 (NVIDIA)
}

BATCH_MODELS = ("bahdanau-gru", "lstm-4x1024")
TRAINING_SIZES, TRANSLATION_SIZES, BEAMS = [64, 128, 256, 512, 1024], [1, 8, 64, 128, 512], [1, 5]


class Curve(Section):
    model: str
    parameters: int
    what: str
    """Training, or translation with a beam of some size."""
    tokens_per_second: dict[int, float]
    """Target tokens, by the sentences of a batch."""


class Batches(Section):
    """What batches.json holds."""

    environment: Environment
    overrides: list[str]
    curves: list[Curve]


def measure_batches(
    results: Path,
    base: str,
    models: Sequence[str],
    overrides: list[str],
    training: Sequence[int],
    translation: Sequence[int],
    beams: Sequence[int],
) -> Batches:
    """Measure in this process; where CUDA graphs are recorded, also without them."""
    curves: list[Curve] = []
    for name in models:
        kind = MODELS[name]
        config = setting_config(base, kind.setting, [*kind.changes, *overrides])
        state = new_state(config, kind.vocabulary, kind.vocabulary)
        model, speeds = state.model.eval(), {"training": (partial(training_speed, config, kind.vocabulary), training)}
        if state.graphs is not None:
            plain = setting_config(base, kind.setting, [*kind.changes, *overrides, "training.cuda_graphs=false"])
            speeds["training without graphs"] = (partial(training_speed, plain, kind.vocabulary), training)
        for beam in beams:
            what = f"translation, beam {beam}" if beam > 1 else "translation, greedy"
            speed = partial(translation_speed, config, model, kind.vocabulary, beam)
            speeds[what] = (speed, translation)
            if state.graphs is not None:
                speeds[f"{what}, without graphs"] = (partial(speed, graphs=False), translation)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        for what, (speed, sizes) in speeds.items():
            found = {size: speed(size) for size in tqdm(sizes, desc=f"{name}, {what}", disable=None)}
            curves.append(Curve(model=name, parameters=parameters, what=what, tokens_per_second=found))
    found = Batches(environment=environment(), overrides=overrides, curves=curves)
    results.mkdir(parents=True, exist_ok=True)
    write_atomically(results / "batches.json", found.model_dump_json(indent=2) + "\n")
    return found


def training_speed(config: Config, vocabulary: int, rows: int) -> float:
    """Target tokens a second of optimizer steps on one batch."""
    state = new_state(config, vocabulary, vocabulary)
    batch = random_batch(rows, LENGTH, vocabulary).to(state.device)
    num_tokens = int(batch.target_mask.sum())

    def step() -> None:
        train_step(state, [batch], num_tokens, config.training.learning_rate)

    return STEPS * num_tokens / seconds(step, STEPS, state.device)


def translation_speed(
    config: Config, model: Seq2Seq, vocabulary: int, beam: int, rows: int, graphs: bool = True
) -> float:
    """Tokens a second of translations by a model that has learned nothing: as long as their sources, or ten longer."""
    changes = {"beam_size": beam, "min_length_ratio": 1.0, "max_length_ratio": 1.0, "precision": PRECISION}
    options = search_options(config.search, changes | {"no_repeat_ngram_size": 0})
    sources = random_batch(rows, LENGTH, vocabulary).source.tolist()
    search = BatchSearch([model], options, [], None, graphs)
    batch = SourceBatch(sources, [[]] * rows, range(rows))
    lengths = []

    def translate() -> None:
        lengths.append(sum(len(found[0].ids) for found in search(batch)))

    taken = seconds(translate, SEARCHES, search.device)
    return sum(lengths[-SEARCHES:]) / taken


def seconds(call: Callable[[], None], times: int, device: torch.device) -> float:
    """Of so many calls, after two that set up what is needed: a search records what comes the second time."""
    for _ in range(2):
        call()
    started = clock(device)
    for _ in range(times):
        call()
    return clock(device) - started
