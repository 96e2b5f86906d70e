"""`seq2seq average`."""

import argparse
from pathlib import Path

from seq2seq.cli.arguments import LAYOUT, Commands, positive
from seq2seq.errors import ConfigError


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "average",
        help="average the weights of several checkpoints or runs",
        description="""Make a run folder whose model is the mean of several that a training kept: of the best
validations (training.keep_best) or of the last checkpoints (training.keep_checkpoints). Or the mean of
several runs that have started from the same model (training.start_from): of others it would be no model.""",
        epilog="""examples:
  seq2seq average runs/demo --best 5 --output runs/demo-average
  seq2seq evaluate runs/demo-average
  seq2seq average runs/tuned runs/tuned-2 --output runs/tuned-mean""",
        formatter_class=LAYOUT,
    )
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="a run folder that `seq2seq train` left")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--best", metavar="N", type=positive, help="of each run the best N, not its model alone")
    which.add_argument("--last", metavar="N", type=positive, help="of each run the last N")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="the run folder to make")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    from seq2seq.training.averaging import average_runs

    if len(options.runs) == 1 and options.best is None and options.last is None:
        raise ConfigError(
            f"{options.runs[0]}: one model is its own mean: name several runs, or give --best N or --last N"
        )
    files = average_runs(options.runs, options.output, options.best, options.last)
    print(f"The mean of {', '.join(map(str, files))} is in {options.output}. Next: seq2seq evaluate {options.output}")
