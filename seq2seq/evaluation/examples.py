"""The sentences of a test set that are worth reading."""

from collections.abc import Sequence
from typing import NamedTuple

from seq2seq.evaluation.metrics import build_metric


class Example(NamedTuple):
    line: int
    """Its number in the test set, from 1."""
    chrf: float
    """Of this sentence alone."""
    source: str
    reference: str
    translation: str


class Examples(NamedTuple):
    longest: list[Example]
    best: list[Example]
    worst: list[Example]


def choose_examples(
    sources: Sequence[str],
    translations: Sequence[str],
    references: Sequence[str],
    examples: int,
    lowercase: bool = False,
) -> Examples:
    """The `examples` sentences with the longest sources, by words, and those of best and of worst translation.

    They are judged by chrF, which is meaningful for one sentence; BLEU is 0 wherever no four tokens match. Of equals
    the longer source comes first, then the earlier.

    Args:
        lowercase: Judge without case.
    """
    metric = build_metric("chrf", target_language="", lowercase=lowercase)
    judged = [
        Example(line, metric.sentence_score(translation, [reference]).score, source, reference, translation)
        for line, (source, translation, reference) in enumerate(
            zip(sources, translations, references, strict=True), start=1
        )
    ]
    judged.sort(key=lambda example: -len(example.source.split()))
    return Examples(
        longest=judged[:examples],
        best=sorted(judged, key=lambda example: -example.chrf)[:examples],
        worst=sorted(judged, key=lambda example: example.chrf)[:examples],
    )
