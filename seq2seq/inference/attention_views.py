"""What one or several runs look at in some sentences, made ready to be drawn or saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.config import ModelConfig
from seq2seq.errors import UserError
from seq2seq.inference.panels import Panel
from seq2seq.inference.translator import Translation, Translator


class AttentionView(NamedTuple):
    """One sentence, read by one run."""

    run: str
    """The name of the run's folder; its path, where two runs share the name."""
    model: ModelConfig
    translation: Translation

    def panel(self) -> Panel:
        result = self.translation
        title = f"{self.run}: {describe(self.model)}, score\u00a0{result.score:.3f}"
        return Panel(result.source_tokens, result.tokens, result.weights, title)

    def record(self) -> dict[str, Any]:
        """For JSON, with the keys that `seq2seq attention --help` names."""
        result = self.translation
        return {
            "run": self.run,
            "source": result.source,
            "text": result.text,
            "score": round(result.score, 6),
            "source_tokens": result.source_tokens,
            "tokens": result.tokens,
            "weights": [[[round(weight, 6) for weight in row] for row in head] for head in result.weights.tolist()],
            "heads": len(result.weights),
        }


def view_attention(
    runs: Sequence[Path],
    sentences: Sequence[str],
    targets: Sequence[str] = (),
    beam_size: int | None = None,
    device: str = "auto",
) -> list[list[AttentionView]]:
    """For each sentence what each run looks at: as it translates it or, with targets, as it reads the one given.

    Raises:
        UserError: A sentence is blank, a run has no attention or cannot be used, or there is not one target a sentence.
    """
    names = [run.resolve().name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run) for run in runs]
    translators = [Translator.load(run, device) for run in runs]
    for run, translator in zip(runs, translators, strict=True):
        if translator.config.model.attention.score == "none":
            raise UserError(f"{run}: this model has no attention (model.attention.score is none)")
    columns = []
    for name, translator in zip(names, translators, strict=True):
        results = translator.align(sentences, targets) if targets else translator.translate(sentences, beam_size)
        for number, result in enumerate(results, start=1):
            if not result.tokens:
                raise UserError(f"sentence {number} is blank: there is nothing to attend to")
        columns.append([AttentionView(name, translator.config.model, result) for result in results])
    return [list(row) for row in zip(*columns, strict=True)]


def describe(model: ModelConfig) -> str:
    """The attention and the decoder of a model in a few words."""
    attention = model.attention
    special = [value for value in (attention.normalizer, attention.window) if value not in ("softmax", "none")]
    details = f" ({', '.join(special)})" if special else ""
    return f"{attention.score.rpartition(':')[2]} attention{details}, {model.decoder.style} decoder"
