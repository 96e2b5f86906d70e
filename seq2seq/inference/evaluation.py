"""Scores of translations, by sacreBLEU (Post 2018, arXiv:1804.08771)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from seq2seq.errors import ConfigError, DataError


class Score(NamedTuple):
    score: float
    signature: str


METRICS = {"bleu": "BLEU", "chrf": "CHRF", "ter": "TER"}


def build_metric(name: str, target_language: str) -> Any:
    """One of sacreBLEU's metrics, set for a language.

    Raises:
        ConfigError: The language's tokenizer is not installed.
    """
    import sacrebleu.metrics  # not needed to translate

    options = {"trg_lang": target_language} if name == "bleu" else {}
    try:
        return getattr(sacrebleu.metrics, METRICS[name])(**options)
    except (RuntimeError, ImportError) as error:
        raise ConfigError(
            f"data.target_language is {target_language!r}, and sacreBLEU's tokenizer for it is not installed: "
            f"pip install 'sacrebleu[{target_language}]'"
        ) from error


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
    scores = {}
    for name in metrics:
        metric = build_metric(name, target_language)
        result = metric.corpus_score(list(translations), [list(references)])
        scores[name] = Score(result.score, str(metric.get_signature()))
    return scores
