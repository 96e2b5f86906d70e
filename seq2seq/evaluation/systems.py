"""Systems that translated one test set, and what there is to say about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from seq2seq.evaluation.by_length import LengthBucket, bleu_by_source_length
from seq2seq.evaluation.examples import Examples, choose_examples
from seq2seq.evaluation.held_out import HeldOut
from seq2seq.evaluation.metrics import Score, compare_translations, score_translations
from seq2seq.evaluation.overlap import Overlap
from seq2seq.evaluation.speed import Speed


class System(NamedTuple):
    """A run, or a file of translations that were made before."""

    run: str
    """That translated, or whose test set a file is of."""
    texts: list[str]
    """A translation for each sentence of the test set."""
    file: str | None = None
    """Where they were read, unless the run translated."""
    speed: Speed | None = None
    """Of the run's translating."""

    @property
    def name(self) -> str:
        return self.file or self.run


@dataclass(frozen=True)
class Evaluation:
    """One system on one test set. What was not asked for is None."""

    system: System
    scores: dict[str, Score]
    """By metric: bleu, chrf, ter."""
    by_length: list[LengthBucket] | None = None
    examples: Examples | None = None
    overlap: Overlap | None = None

    def record(self) -> dict[str, Any]:
        """For JSON, with the keys that `seq2seq evaluate --help` names."""
        speed, by_length, examples, overlap = self.system.speed, self.by_length, self.examples, self.overlap
        return {
            "run": self.system.run,
            "translations": self.system.file,
            "num_sentences": len(self.system.texts),
            **{
                name: score._asdict() | {"confidence": score.confidence and score.confidence._asdict()}
                for name, score in self.scores.items()
            },
            "speed": speed and speed._asdict(),
            "by_length": by_length and [bucket._asdict() for bucket in by_length],
            "examples": examples
            and {kind: [example._asdict() for example in chosen] for kind, chosen in examples._asdict().items()},
            "overlap": overlap and overlap._asdict(),
        }


def evaluate_systems(
    systems: Sequence[System],
    held_out: HeldOut,
    bootstrap: int | None = None,
    lowercase: bool = False,
    by_length: bool = False,
    examples: int | None = None,
) -> list[Evaluation]:
    """Score systems on their test set; several are compared with the first.

    Args:
        bootstrap: Resamples for confidence intervals; of several systems 1000 if not given.
        lowercase: Ignore case, as `build_metric` says.
        by_length: Add what `bleu_by_source_length` says.
        examples: Add what `choose_examples` chooses.

    Raises:
        DataError: A system has not one translation for each reference.
        UserError: SACREBLEU_SEED is no seed.
        ValueError: Two systems have one name.
    """
    sources, references, language = held_out.sources, held_out.references, held_out.target_language
    texts = {system.name: system.texts for system in systems}
    if len(texts) < len(systems):
        raise ValueError(f"systems need names of their own: {', '.join(system.name for system in systems)}")
    if len(systems) > 1:
        scores = compare_translations(texts, references, language, bootstrap=bootstrap or 1000, lowercase=lowercase)
    else:
        scores = {
            name: score_translations(of_one, references, language, bootstrap=bootstrap, lowercase=lowercase)
            for name, of_one in texts.items()
        }
    return [
        Evaluation(
            system,
            scores[system.name],
            bleu_by_source_length(sources, system.texts, references, language, lowercase) if by_length else None,
            choose_examples(sources, system.texts, references, examples, lowercase) if examples else None,
        )
        for system in systems
    ]
