"""The page of a comparison: Markdown, with its pictures in a folder beside it."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from compare.comparison import Candidate, Comparison
from compare.figures import plot_examples
from compare.measures import Measures, measure
from compare.processes import Finished, read_finished
from compare.speed import Speed, read_speed
from measuring.environment import Environment, environment
from measuring.markdown import table, three_digits
from measuring.training_speed import WARMUP
from seq2seq.errors import UserError
from seq2seq.files import write_atomically
from seq2seq.training.curves import read_metrics
from seq2seq.visualization.line_plots import Line, length_figure, lines_figure
from seq2seq.visualization.pictures import write_picture

NONE = "–"


class Result(NamedTuple):
    candidate: Candidate
    finished: Finished
    measures: Measures
    validations: list[dict[str, float]]
    """The validation records of its metrics.jsonl."""

    @property
    def best_greedy_bleu(self) -> float:
        return max(record["bleu"] for record in self.validations)


def write_report(
    comparison: Comparison, candidates: list[Candidate], output: Path, page: Path, command: Sequence[str]
) -> None:
    """Measure what is trained, draw the pictures, write the page.

    Raises:
        UserError: No training has finished.
    """
    results = [
        Result(
            candidate,
            finished,
            measure(candidate, comparison.sentence),
            read_metrics(candidate.run / "metrics.jsonl")["validation"],
        )
        for candidate in candidates
        if (finished := read_finished(candidate)) is not None
    ]
    if not results:
        raise UserError(f"{output}: nothing to report: no setting has been trained to the end")
    absent = [candidate.name for candidate in candidates if read_finished(candidate) is None]
    speed = read_speed(output)
    if speed is not None:
        stale = [r.candidate.name for r in results if speed.digests.get(r.candidate.name) != r.candidate.digest]
        if stale:
            print(f"no speed in the report: it was measured without {', '.join(stale)} as now set", file=sys.stderr)
            speed = None
    pictures = page.with_suffix("")
    pictures.mkdir(parents=True, exist_ok=True)
    draw(results, pictures)
    drawn = {result.candidate.name: result.measures.example for result in results if result.candidate.has_attention}
    attention_pictures = plot_examples(drawn, pictures)
    parts = [
        f"# Attention settings compared: {Path(comparison.base).stem}",
        introduction(results, absent),
        results_table(results, speed),
        f"## BLEU by source length\n\n{length_table(results)}\n\n"
        f"![BLEU by source length]({pictures.name}/bleu_by_length.png)",
        f"## Learning curves\n\n![Validation BLEU over optimizer steps]({pictures.name}/learning_curves.png)",
        examples(comparison.sentence, results, [f"{pictures.name}/{name}" for name in attention_pictures]),
        conditions(comparison, results, speed, command),
    ]
    write_atomically(page, "\n\n".join(parts) + "\n")


def draw(results: list[Result], folder: Path) -> None:
    by_length = {result.candidate.name: result.measures.by_length for result in results}
    without = [result.candidate.name for result in results if not result.candidate.has_attention]
    write_picture(length_figure(by_length, without), folder / "bleu_by_length.png")
    curves = {}
    for result in results:
        steps, scores = ([record[key] for record in result.validations] for key in ("step", "bleu"))
        curves[result.candidate.name] = Line(steps, scores, result.candidate.has_attention)
    middle = max(line.x[-1] for line in curves.values()) / 2
    figure = lines_figure(curves, "optimizer steps", "validation BLEU, greedy", enlarged_from=middle)
    write_picture(figure, folder / "learning_curves.png")


def introduction(results: list[Result], absent: list[str]) -> str:
    config, records = results[0].candidate.config, [result.validations[-1]["step"] for result in results]
    steps = f"{min(records):,.0f}" if min(records) == max(records) else f"{min(records):,.0f} to {max(records):,.0f}"
    text = (
        f"{len(results)} settings, each trained for {steps} optimizer steps on the same corpus "
        f"({config.data.source_language} to {config.data.target_language}) with seed {config.training.seed}, and "
        f"measured on the {sum(b.num_sentences for b in results[0].measures.by_length):,} sentences of its validation "
        "split. One seed each: some tenths of a point between two settings may be chance."
    )
    return f"{text}\n\nNot in here, as their training has not finished: {', '.join(absent)}." if absent else text


def results_table(results: list[Result], speed: Speed | None) -> str:
    beam, reference = results[0].candidate.config.search.beam_size, results[0].candidate.name
    rows = []
    for result in results:
        name, measures = result.candidate.name, result.measures
        attention = measures.attention
        rows.append(
            [
                name,
                _short(measures.parameters),
                NONE if speed is None else three_digits(speed.median(name)),
                NONE if speed is None else f"{speed.ratio(name, reference):.2f}",
                f"{result.best_greedy_bleu:.1f}",
                f"{measures.bleu.score:.1f}",
                f"{measures.chrf.score:.1f}",
                NONE if attention is None else f"{attention.entropy:.2f}",
                NONE if attention is None else f"{attention.sharpness:.2f}",
                NONE if attention is None else f"{100 * attention.nonzero:.0f} %",
            ]
        )
    heads = [
        "setting", "parameters", "target tokens/s", "ratio", "best greedy BLEU", f"BLEU, beam {beam}",
        f"chrF, beam {beam}", "entropy", "sharpness", "non-zero",
    ]  # fmt: skip
    return (
        f"## Results\n\n{table(heads, rows)}\n\n"
        "- target tokens/s: training speed, measured apart from the trainings (see below); ratio: to that of "
        f"{reference}.\n"
        "- best greedy BLEU: the best of the validations during training, whose weights the other figures are of.\n"
        f"- BLEU `{results[0].measures.bleu.signature}`, chrF `{results[0].measures.chrf.signature}`.\n"
        "- entropy of the attention weights, in bits; sharpness, the largest weight; and non-zero, the share of the "
        f"source tokens with any weight: each the mean over heads and target tokens of the model's own translations "
        f"(beam {beam})."
    )


def length_table(results: list[Result]) -> str:
    buckets = results[0].measures.by_length
    heads = ["words of the source", *(bucket.words for bucket in buckets), "first − last"]
    rows = [["*sentences*", *(f"*{bucket.num_sentences}*" for bucket in buckets), ""]]
    for result in results:
        scores = [bucket.bleu for bucket in result.measures.by_length]
        rows.append([result.candidate.name, *(f"{s:.1f}" for s in scores), f"{scores[0] - scores[-1]:.1f}"])
    return table(heads, rows)


def examples(sentence: str, results: list[Result], pictures: list[str]) -> str:
    rows = [[result.candidate.name, _plain(result.measures.example.text) or "(nothing)"] for result in results]
    translations = table(["setting", "translation"], rows)
    drawn = "".join(f"\n\n![Attention]({picture})" for picture in pictures)
    return f"## What each looks at\n\nThe source sentence: {_plain(sentence)}\n\n{translations}{drawn}"


def conditions(comparison: Comparison, results: list[Result], speed: Speed | None, command: Sequence[str]) -> str:
    seed = results[0].candidate.config.training.seed
    environments = [result.finished.environment for result in results] + ([speed.environment] if speed else [])
    machines = {environment.machine for environment in environments}

    def where(environment: Environment, threads: int) -> str:
        place = f" on {environment.machine}" if len(machines) > 1 else ""
        count = f"{threads} thread{'s' * (threads > 1)}"
        return f"{environment.date} at commit {environment.commit}{place}, with {count}"

    lines = [f"- Base config: `{comparison.base}`; overrides for all: {_code(comparison.overrides)}; seed {seed}."]
    lines += [f"- Machine: {machine}." for machine in machines if len(machines) == 1]
    ways: dict[str, list[str]] = {}  # how the settings were trained: in one way, unless on several occasions
    for result in results:
        way = where(result.finished.environment, result.finished.threads)
        ways.setdefault(way, []).append(result.candidate.name)
    for way, names in ways.items():
        who = "Trained" if len(ways) == 1 else f"{', '.join(names)} trained"
        lines.append(f"- {who} {way} each.")
    if speed is not None:
        spread = max(max(values) / min(values) for values in speed.tokens_per_second.values())
        lines.append(
            f"- Speed measured {where(speed.environment, speed.threads)}, in {speed.precision}. Median of "
            f"{speed.rounds} rounds, in each of which the settings took turns at {speed.steps} optimizer steps of a "
            f"new model (after {WARMUP} to warm up) on the same batches of the corpus; the ratio is the median of the "
            f"ratios within a round. The fastest round of a setting was at most {spread:.2f} times its slowest."
        )
    now = environment()
    lines.append(f"- Report made {now.date} at commit {now.commit}.")
    overrides = {setting.name: setting.overrides for setting in comparison.settings}
    rows = [[result.candidate.name, _code(overrides[result.candidate.name])] for result in results]
    settings = table(["setting", "its overrides"], rows)
    return f"## How it was made\n\n    {shlex.join(command)}\n\n" + "\n".join(lines) + f"\n\n{settings}"


def _code(overrides: Sequence[str]) -> str:
    return ", ".join(f"`{override}`" for override in overrides) or NONE


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is, in a table too."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|#" else c for c in text)


def _short(number: int) -> str:
    return f"{number / 1e6:.2f} M" if number >= 1e5 else f"{number:,}"
