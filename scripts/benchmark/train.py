"""The speed and the memory of training, at the architecture of the comparison."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark.contest import Contest, hold, own, peer
from seq2seq.config import Config
from seq2seq.config_file import load_config
from seq2seq.training.preparation import prepare
from seq2seq.training.processes import Processes

KEY = "target_tokens_per_second"
ALL = [
    "tokenizer={type: unigram, vocabulary_size: 8000, joint: true}",
    "model.embedding_size=256",
    "model.tie_embeddings=none",
    "model.word_dropout=0.0",
    "model.layer_norm=false",
    "training.batch_tokens=2048",
    "training.accumulate=1",
    "training.optimizer=adam",
    "training.learning_rate=0.001",
    "training.schedule=constant",
    "training.warmup_steps=0",
    "training.label_smoothing=0.0",
    "training.ema_decay=null",
]
"""Overrides for all settings."""


class Setting(NamedTuple):
    style: str
    cell: str
    score: str
    input_feeding: bool = True

    @property
    def overrides(self) -> list[str]:
        feeding = str(self.input_feeding).lower()
        projection = "query_key" if self.score == "additive" else "none"
        return [
            *ALL,
            f"model.encoder={{cell: {self.cell}, hidden_size: 256, num_layers: 1, bidirectional: true, dropout: 0.3}}",
            f"model.decoder={{style: {self.style}, cell: {self.cell}, hidden_size: 512, num_layers: 1, "
            f"input_feeding: {feeding}, bridge: projection, dropout: 0.3, output_size: 512}}",
            f"model.attention={{score: {self.score}, projection: {projection}}}",
        ]


SETTINGS = {
    "bahdanau-gru": Setting("bahdanau", "gru", "additive"),
    "luong-gru": Setting("luong", "gru", "bilinear"),
    "bahdanau-lstm": Setting("bahdanau", "lstm", "additive"),
    "luong-gru-no-feeding": Setting("luong", "gru", "bilinear", input_feeding=False),
}


def setting_config(base: str, setting: str, overrides: Sequence[str]) -> Config:
    """Those of the command line come last.

    Raises:
        ConfigError: As in `load_config`.
    """
    return load_config(base, [*SETTINGS[setting].overrides, *overrides])


def measure_training(
    results: Path,
    base: str,
    overrides: list[str],
    settings: Sequence[str],
    precisions: Sequence[str],
    steps: int,
    rounds: int,
    threads: int,
    peers: Sequence[str],
    peer_key: str,
) -> dict[str, Contest]:
    """One contest a setting: ours in each precision, and the peers. The corpus is tokenized before."""
    configs = [setting_config(base, name, overrides) for name in settings]  # mistakes show before any work
    others = {}
    for name in settings:
        values = {"attention": SETTINGS[name].style, "cell": SETTINGS[name].cell, "threads": str(threads)}
        others[name] = [peer(text, peer_key, values) for text in peers]
    prepare(configs[0], results / "data", Processes("cpu"))
    contests = {}
    for name in settings:
        ours = [
            own(
                f"ours, {precision}", KEY, "one_training",
                base, name, str(results / "data"), str(steps), *overrides, f"training.precision={precision}",
            )
            for precision in precisions
        ]  # fmt: skip
        contests[name] = hold(results / f"train-{name}.json", KEY, ours, others[name], rounds, threads, overrides)
    return contests
