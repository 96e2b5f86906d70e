"""Scores of translations, by sacreBLEU (Post 2018, arXiv:1804.08771); whether systems differ by more than chance."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from seq2seq.errors import ConfigError, DataError, UserError


class Confidence(NamedTuple):
    """The 95 % interval of a score over bootstrap resamples of its sentences: mean ± half_width."""

    mean: float
    half_width: float


class Score(NamedTuple):
    score: float
    signature: str
    confidence: Confidence | None = None
    """None without bootstrap."""
    p_value: float | None = None
    """Of the difference from the baseline; None where there is none, and of the baseline itself."""


METRICS = {"bleu": "BLEU", "chrf": "CHRF", "ter": "TER"}
TOKENIZED = 100
"""Translations with a period that stands alone, from which on sacreBLEU takes them for tokenized."""


def build_metric(name: str, target_language: str, lowercase: bool = False) -> Any:
    """One of sacreBLEU's metrics, set for a language.

    Args:
        lowercase: Ignore case, as `sacrebleu -lc --chrf-lowercase` does; TER, as sacreBLEU has it, always ignores it.

    Raises:
        ConfigError: The language's tokenizer is not installed.
    """
    import sacrebleu.metrics  # not needed to translate

    options = {} if name == "ter" else {"lowercase": lowercase}
    if name == "bleu":
        options |= {"trg_lang": target_language, "force": True}  # without it BLEU logs what `num_tokenized` counts
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
    bootstrap: int | None = None,
    lowercase: bool = False,
) -> dict[str, Score]:
    """Corpus scores with their signatures. BLEU tokenizes as sacreBLEU does for the language: 13a unless it has a rule.

    Args:
        bootstrap: Resamples for a confidence interval of each score, as `compare_translations` says.

    Raises:
        DataError: The two lists differ in length, or are empty.
        UserError: SACREBLEU_SEED is no seed.
    """
    if bootstrap is not None:
        return compare_translations({"": translations}, references, target_language, metrics, bootstrap, lowercase)[""]
    _require_aligned(translations, references)
    scores = {}
    for name in metrics:
        metric = build_metric(name, target_language, lowercase)
        result = metric.corpus_score(list(translations), [list(references)])
        scores[name] = Score(result.score, str(metric.get_signature()))
    return scores


def compare_translations(
    systems: Mapping[str, Sequence[str]],
    references: Sequence[str],
    target_language: str,
    metrics: Sequence[str] = tuple(METRICS),
    bootstrap: int = 1000,
    lowercase: bool = False,
) -> dict[str, dict[str, Score]]:
    """Scores of systems on one test set, each with its confidence and, after the first, the baseline, its p-value.

    Paired bootstrap resampling (Koehn 2004, aclanthology.org/W04-3250) by `sacrebleu.significance`: all systems are
    scored on the same `bootstrap` samples of the sentences, drawn with replacement. The p-value is the share of samples
    in which the two differ, around their mean difference, by more than they do on the whole. The generator's seed is
    sacreBLEU's, 12345, or that of the environment variable SACREBLEU_SEED; `none` there draws anew each time. It takes
    some 80 bytes a sentence and resample.

    Args:
        systems: Translations by the system's name, the baseline first.

    Returns:
        Scores by system, then by metric.

    Raises:
        DataError: A system has not one translation for each reference, or there are none.
        UserError: SACREBLEU_SEED is no seed.
    """
    for translations in systems.values():
        _require_aligned(translations, references)
    require_seed()
    from sacrebleu.significance import PairedTest

    built = {name: build_metric(name, target_language, lowercase) for name in metrics}
    named: Any = [(name, list(translations)) for name, translations in systems.items()]
    results: dict[str, list[Any]]
    signatures, results = PairedTest(named, built, [list(references)], test_type="bs", n_samples=bootstrap)()
    scores: dict[str, dict[str, Score]] = {name: {} for name in systems}
    for metric, (label, signature) in zip(metrics, signatures.items(), strict=True):  # sacreBLEU's label, as "chrF2"
        baseline = results[label][0]
        for system, result in zip(systems, results[label], strict=True):
            p_value = result.p_value
            if p_value is not None and result.score == baseline.score:
                p_value = 1.0  # any difference reaches none; sacreBLEU says 1 / (bootstrap + 1) of a system and itself
            confidence = Confidence(float(result.mean), float(result.ci))
            scores[system][metric] = Score(float(result.score), str(signature), confidence, p_value)
    return scores


def num_tokenized(translations: Sequence[str]) -> int:
    """How many translations end in a period that stands alone, as those of tokenized text do."""
    return sum(text.endswith(" .") for text in translations)


def require_seed() -> None:
    """Check the seed of the bootstrap.

    Raises:
        UserError: It is one on which sacreBLEU fails, or 0, which its paired test takes for none.
    """
    seed = os.environ.get("SACREBLEU_SEED", "12345")
    if seed.lower() != "none" and not (seed.isdecimal() and int(seed) > 0):
        raise UserError(f"SACREBLEU_SEED is {seed!r}: set it to a whole number from 1 up, to none, or not at all")


def _require_aligned(translations: Sequence[str], references: Sequence[str]) -> None:
    if len(translations) != len(references):
        raise DataError(f"{len(translations)} translations for {len(references)} references: give one each")
    if not references:
        raise DataError("no sentences to score")
