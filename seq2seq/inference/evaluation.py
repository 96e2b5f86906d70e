"""Scores of translations, by sacreBLEU (Post 2018, arXiv:1804.08771)."""

from collections.abc import Sequence
from typing import NamedTuple

from seq2seq.errors import DataError


class Score(NamedTuple):
    score: float
    signature: str


METRICS = {"bleu": "BLEU", "chrf": "CHRF", "ter": "TER"}


def score_translations(
    translations: Sequence[str],
    references: Sequence[str],
    target_language: str,
    metrics: Sequence[str] = tuple(METRICS),
) -> dict[str, Score]:
    """Corpus scores with their signatures. BLEU tokenizes as sacreBLEU does for the language: 13a unless it has a rule.

    Raises:
        DataError: The two lists differ in length, or are empty.
    """
    if len(translations) != len(references):
        raise DataError(f"{len(translations)} translations for {len(references)} references: give one each")
    if not references:
        raise DataError("no sentences to score")
    import sacrebleu.metrics  # not needed to train a step or to translate

    scores = {}
    for name in metrics:
        options = {"trg_lang": target_language} if name == "bleu" else {}
        metric = getattr(sacrebleu.metrics, METRICS[name])(**options)
        result = metric.corpus_score(list(translations), [list(references)])
        scores[name] = Score(result.score, str(metric.get_signature()))
    return scores
