"""The evaluation of systems as text for a reader."""

from collections.abc import Sequence

from seq2seq.evaluation.examples import Example
from seq2seq.evaluation.metrics import Score
from seq2seq.evaluation.overlap import Overlap
from seq2seq.evaluation.systems import Evaluation
from seq2seq.visualization.labels import display_width, fit

LABELS = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}


def format_report(evaluations: Sequence[Evaluation]) -> str:
    """The results of one system, or of several on the same test set, the baseline first, for a reader."""
    parts = [_scores(evaluations)]
    if evaluations[0].by_length:
        parts.append(_by_length(evaluations))
    several = len(evaluations) > 1
    overlaps = {evaluation.system.run: evaluation.overlap for evaluation in evaluations if evaluation.overlap}
    for run, overlap in overlaps.items():
        parts.append(_overlap(overlap, f" of {run}" if len(overlaps) > 1 else ""))
    for evaluation in evaluations:
        if evaluation.examples:
            for kind, chosen in evaluation.examples._asdict().items():
                parts.append(_examples(f"{evaluation.system.name}, {kind}" if several else kind, chosen))
    return "\n\n".join(parts)


def _scores(evaluations: Sequence[Evaluation]) -> str:
    """A line a metric with its signature; of several systems, under that a line a system."""
    lines = []
    width = max(display_width(evaluation.system.name) for evaluation in evaluations)
    for metric, label in LABELS.items():
        scores = [evaluation.scores[metric] for evaluation in evaluations]
        if len(scores) == 1:
            (score,) = scores
            lines.append(f"{label:4} {score.score:6.2f}{_confidence(score)}   {score.signature}")
            continue
        lines.append(f"{label}   {scores[0].signature}")
        for evaluation, score in zip(evaluations, scores, strict=True):
            beside = "baseline" if score.p_value is None else f"p = {score.p_value:.4f}"
            lines.append(f"  {fit(evaluation.system.name, width)} {score.score:6.2f}{_confidence(score)}   {beside}")
    return "\n".join(lines)


def _confidence(score: Score) -> str:
    """As sacreBLEU writes it: mean and half width over the resamples."""
    return "" if score.confidence is None else f" (μ = {score.confidence.mean:.2f} ± {score.confidence.half_width:.2f})"


def _by_length(evaluations: Sequence[Evaluation]) -> str:
    buckets = evaluations[0].by_length or []
    names = ["BLEU"] if len(evaluations) == 1 else [f"BLEU of {evaluation.system.name}" for evaluation in evaluations]
    rows = {"words of the source": [bucket.words for bucket in buckets]}
    rows["sentences"] = [str(bucket.num_sentences) for bucket in buckets]
    for name, evaluation in zip(names, evaluations, strict=True):
        rows[name] = [f"{bucket.bleu:.2f}" for bucket in evaluation.by_length or []]
    width = max(map(display_width, rows))
    return "\n".join(fit(name, width) + "".join(f"{cell:>8}" for cell in cells) for name, cells in rows.items())


def _overlap(overlap: Overlap, of: str) -> str:
    def share(number: int) -> str:
        return f"{number:,} of {overlap.num_sentences:,} ({100 * number / overlap.num_sentences:.1f} %)"

    return (
        f"in the training text{of}, but for case and width:\n"
        f"  {share(overlap.num_pairs)} sentences with their reference\n"
        f"  {share(overlap.num_sources)} sentences with any translation"
    )


def _examples(title: str, examples: Sequence[Example]) -> str:
    return f"{title}:\n" + "\n".join(
        f"  line {example.line:,}, chrF {example.chrf:.2f}\n"
        f"    source       {example.source}\n"
        f"    reference    {example.reference}\n"
        f"    translation  {example.translation}"
        for example in examples
    )
