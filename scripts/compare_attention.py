"""Compare attention settings: train each on one corpus with one budget, measure them, and write a page with pictures.

    python scripts/compare_attention.py configs/compare/en-fr.yaml --output runs/compare-en-fr --jobs 2

All settings are checked before any is trained. Run again after an interruption, it goes on where it was: what is
finished stays as it is. --phases report makes the page anew from what the output folder has.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from compare.comparison import check_candidates, load_comparison
from compare.processes import train_all
from compare.report import write_report
from compare.speed import is_measured, measure_speed, read_speed
from measuring.command import exit_status
from seq2seq.cli.arguments import positive
from seq2seq.errors import UserError

PHASES = ("train", "timing", "report")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparison", metavar="COMPARISON", type=Path, help="YAML file; see configs/compare/")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="folder of all that is computed")
    parser.add_argument("--report", metavar="FILE", type=Path, help="the page (default: report.md in the output)")
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=PHASES, help="do only these (default: all)")
    parser.add_argument("--jobs", metavar="N", type=positive, default=1, help="trainings at a time (default: 1)")
    parser.add_argument("--threads", metavar="N", type=positive, help="threads of a training (default: cores / jobs)")
    parser.add_argument("--timing-rounds", metavar="N", type=positive, default=5, help="(default: %(default)s)")
    parser.add_argument(
        "--timing-steps", metavar="N", type=positive, default=20, help="steps a round (default: %(default)s)"
    )
    return parser.parse_args(arguments)


def compare(options: argparse.Namespace, command: Sequence[str]) -> int:
    comparison = load_comparison(options.comparison)
    page = options.report or options.output / "report.md"
    if page.suffix != ".md":
        raise UserError(f"{page}: a report's name ends with .md")
    candidates = check_candidates(comparison, options.output)
    options.output.mkdir(parents=True, exist_ok=True)
    page.parent.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    if "train" in options.phases:
        threads = options.threads or max(1, (os.cpu_count() or 1) // options.jobs)
        failed = train_all(candidates, comparison.base, options.jobs, threads)
    if "timing" in options.phases:
        to_measure = [candidate for candidate in candidates if candidate.name not in failed]
        if is_measured(read_speed(options.output), to_measure, options.timing_rounds, options.timing_steps):
            print(f"speed: already measured; remove {options.output / 'timing.json'} to repeat it", file=sys.stderr)
        elif to_measure:
            measure_speed(to_measure, options.timing_rounds, options.timing_steps, options.output)
    if failed:
        print(f"compare_attention: training failed: {', '.join(failed)}", file=sys.stderr)
    if "report" in options.phases and len(failed) < len(candidates):
        write_report(comparison, candidates, options.output, page, command)
        print(page)
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 if a training failed, 2 after a mistake of the user's, named in one line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    command = ["python", "scripts/compare_attention.py", *arguments]
    interrupted = "the same command goes on from here"
    return exit_status("compare_attention", lambda: compare(options, command), options.output, interrupted)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the code that ends the trainings
    sys.exit(main())
