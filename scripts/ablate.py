"""Change one thing at a time in a recipe, train each with several seeds, and write what each is worth as a page.

    python scripts/ablate.py configs/ablate/multi30k.yaml --output runs/ablation --jobs 2

All settings are checked before any is trained. Run again after an interruption, it goes on where it was; the page holds
what has been trained so far. The figure is the best validation of a training: greedy BLEU, cased, sacreBLEU's 13a.
"""

import argparse
import os
import shlex
import signal
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from compare.comparison import Candidate, Variations, load_checked
from compare.processes import read_finished, train_all
from measuring.command import exit_status
from measuring.markdown import table
from seq2seq.cli.arguments import positive
from seq2seq.config_file import check, read_yaml
from seq2seq.errors import ConfigError
from seq2seq.files import write_atomically
from seq2seq.training.curves import read_metrics

NONE = "–"


class Ablation(Variations):
    """The first of `settings` is the recipe; each of the others is a change to it."""

    seeds: Annotated[list[int], Field(min_length=1)]


class Result(NamedTuple):
    bleu: float
    minutes: float


def candidates_of(ablation: Ablation, output: Path) -> dict[tuple[str, int], Candidate]:
    """By setting and seed; all settings with the first seed come first.

    Raises:
        ConfigError: A setting is not valid, or its model cannot be built.
    """
    candidates = {}
    for seed in ablation.seeds:
        for setting in ablation.settings:
            overrides = [*ablation.overrides, *setting.overrides, f"training.seed={seed}"]
            try:
                config = load_checked(ablation.base, overrides)
            except ConfigError as error:
                raise ConfigError(f"setting {setting.name}: {error}") from error
            name = f"{setting.name}-seed{seed}"
            candidates[setting.name, seed] = Candidate(name, overrides, config, output / name)
    return candidates


def result_of(candidate: Candidate) -> Result | None:
    if read_finished(candidate) is None:
        return None
    validations = read_metrics(candidate.run / "metrics.jsonl")["validation"]
    best = max(record["bleu"] for record in validations)
    return Result(best, validations[-1]["seconds"] / 60)


def page_of(ablation: Ablation, candidates: dict[tuple[str, int], Candidate], command: Sequence[str]) -> str:
    results = {key: result for key, candidate in candidates.items() if (result := result_of(candidate)) is not None}
    recipe = ablation.settings[0].name
    rows = []
    for setting in ablation.settings:
        found = {seed: results[setting.name, seed] for seed in ablation.seeds if (setting.name, seed) in results}
        gains = [found[seed].bleu - results[recipe, seed].bleu for seed in found if (recipe, seed) in results]
        rows.append(
            [
                setting.name,
                mean([result.bleu for result in found.values()], ".2f"),
                mean(gains, "+.2f") if setting.name != recipe else NONE,
                *(f"{found[seed].bleu:.2f}" if seed in found else NONE for seed in ablation.seeds),
                mean([result.minutes for result in found.values()], ".0f"),
                code(setting.overrides),
            ]
        )
    seeds = [f"seed {seed}" for seed in ablation.seeds]
    base = ablation.base + (f" with {code(ablation.overrides)}" if ablation.overrides else "")
    parts = [
        f"# What each part of a recipe gives: {Path(ablation.base).stem}",
        f"The recipe `{recipe}` is {base}. Each of the other rows changes one thing in it, and is "
        "trained as long. The figures are the best greedy validation BLEU of a training (cased, "
        "sacreBLEU's 13a), its mean over the seeds, and the mean difference to the recipe with the same seeds.",
        table(["setting", "BLEU", "difference", *seeds, "minutes", "change"], rows),
        f"Made by\n\n    {shlex.join(command)}",
        *sorted({conditions for key in results if (conditions := conditions_of(candidates[key]))}),
    ]
    return "\n\n".join(parts) + "\n"


def mean(numbers: Sequence[float], form: str) -> str:
    return format(statistics.fmean(numbers), form) if numbers else NONE


def code(overrides: Sequence[str]) -> str:
    return " ".join(f"`{override}`" for override in overrides) or NONE


def conditions_of(candidate: Candidate) -> str | None:
    finished = read_finished(candidate)
    if finished is None:
        return None
    where = finished.environment
    return f"Commit {where.commit}, {where.date}, {where.machine}; trainings of {finished.threads} thread(s)."


def ablate(options: argparse.Namespace, command: Sequence[str]) -> int:
    ablation = check(read_yaml(options.ablation, Ablation), Ablation, options.ablation)
    candidates = candidates_of(ablation, options.output)
    page = options.report or options.output / "report.md"
    for folder in (options.output, page.parent):
        folder.mkdir(parents=True, exist_ok=True)
    threads = options.threads or max(1, (os.cpu_count() or 1) // options.jobs)
    to_train = [] if options.page_only else list(candidates.values())
    failed = train_all(to_train, ablation.base, options.jobs, threads)
    write_atomically(page, page_of(ablation, candidates, command))
    print(page)
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 if a training failed, 2 after a mistake of the user's, named in one line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ablation", metavar="ABLATION", type=Path, help="YAML file; see configs/ablate/")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="folder of all that is computed")
    parser.add_argument("--report", metavar="FILE", type=Path, help="the page (default: report.md in the output)")
    parser.add_argument("--page-only", action="store_true", help="train nothing; write the page anew")
    parser.add_argument("--jobs", metavar="N", type=positive, default=1, help="trainings at a time (default: 1)")
    parser.add_argument("--threads", metavar="N", type=positive, help="threads of a training (default: cores / jobs)")
    options = parser.parse_args(arguments)
    command = ["python", "scripts/ablate.py", *arguments]
    interrupted = "the same command goes on from here"
    return exit_status("ablate", lambda: ablate(options, command), options.output, interrupted)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the code that ends the trainings
    sys.exit(main())
