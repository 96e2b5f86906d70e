"""What one or several runs look at in some sentences, made ready to be drawn or saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.config import ModelConfig
from seq2seq.errors import UserError
from seq2seq.inference.translation import SelfAttention, Translation, attention_record
from seq2seq.inference.translator import Translator
from seq2seq.visualization.labels import short_names
from seq2seq.visualization.panels import Panel


class AttentionView(NamedTuple):
    """One sentence, read by one run."""

    run: str
    """The name of the run's folder; with as many of those above it as tell several runs apart."""
    title: str
    result: Translation | SelfAttention
    head_names: list[str] | None = None
    """By default they are numbered."""

    @property
    def text(self) -> str | None:
        """The translation, where there is one."""
        return self.result.text if isinstance(self.result, Translation) else None

    def panel(self) -> Panel:
        result = self.result
        return Panel(result.source_tokens, result.tokens, result.weights, self.title, self.head_names)

    def record(self) -> dict[str, Any]:
        return {"run": self.run, **attention_record(self.result)}


def view_attention(
    runs: Sequence[Path],
    sentences: Sequence[str],
    targets: Sequence[str] = (),
    beam_size: int | None = None,
    device: str = "auto",
) -> list[list[AttentionView]]:
    """For each sentence what each run's decoder looks at: as it translates it or, with targets, reads the one given.

    Raises:
        UserError: A sentence is blank, a run has no attention or cannot be used, or there is not one target a sentence.
    """
    columns = []
    for run, name, translator in _load(runs, device):
        model = translator.config.model
        if model.attention.score == "none":
            raise UserError(f"{run}: this model has no attention (model.attention.score is none)")
        results = translator.align(sentences, targets) if targets else translator.translate(sentences, beam_size)
        _require_no_blank(results)
        titles = [f"{name}: {describe(model)}, score\u00a0{result.score:.3f}" for result in results]
        columns.append([AttentionView(name, title, result) for title, result in zip(titles, results, strict=True)])
    return [list(row) for row in zip(*columns, strict=True)]


def view_self_attention(
    runs: Sequence[Path], sentences: Sequence[str], device: str = "auto"
) -> list[list[AttentionView]]:
    """For each sentence what each run's Transformer encoder looks at, in each layer and head.

    Raises:
        UserError: A sentence is blank, or a run has another encoder or cannot be used.
    """
    columns = []
    for run, name, translator in _load(runs, device):
        encoder = translator.config.model.encoder
        if encoder.cell != "transformer":
            raise UserError(f"{run}: its encoder has no self-attention (model.encoder.cell is {encoder.cell})")
        results = translator.self_attention(sentences)
        _require_no_blank(results)
        num_heads = len(results[0].weights) // encoder.num_layers
        heads = [f"layer {n // num_heads + 1} head {n % num_heads + 1}" for n in range(len(results[0].weights))]
        columns.append([AttentionView(name, f"{name}: encoder", result, heads) for result in results])
    return [list(row) for row in zip(*columns, strict=True)]


def _load(runs: Sequence[Path], device: str) -> list[tuple[Path, str, Translator]]:
    return [(run, name, Translator.load(run, device)) for run, name in zip(runs, short_names(runs), strict=True)]


def _require_no_blank(results: Sequence[Translation | SelfAttention]) -> None:
    for number, result in enumerate(results, start=1):
        if not result.tokens:
            raise UserError(f"sentence {number} is blank: there is nothing to attend to")


def describe(model: ModelConfig) -> str:
    """The attention and the decoder of a model in a few words."""
    attention = model.attention
    special = [value for value in (attention.normalizer, attention.window) if value not in ("softmax", "none")]
    details = f" ({', '.join(special)})" if special else ""
    return f"{attention.score.rpartition(':')[2]} attention{details}, {model.decoder.style} decoder"
