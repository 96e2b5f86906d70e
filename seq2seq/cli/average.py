"""`seq2seq average`."""

import argparse
from pathlib import Path

from seq2seq.cli.arguments import LAYOUT, Commands, positive


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "average",
        help="average the weights of several checkpoints",
        description="Make a run folder whose model is the mean of several that a training kept: "
        "of the best validations (training.keep_best) or of the last checkpoints (training.keep_checkpoints).",
        epilog="""examples:
  seq2seq average runs/demo --best 5 --output runs/demo-average
  seq2seq evaluate runs/demo-average""",
        formatter_class=LAYOUT,
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder that `seq2seq train` left")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--best", metavar="N", type=positive, help="average the best N")
    which.add_argument("--last", metavar="N", type=positive, help="average the last N")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="the run folder to make")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    from seq2seq.training.averaging import average_run

    steps = average_run(options.run, options.output, options.best, options.last)
    names = ", ".join(map(str, steps))
    print(f"The mean of steps {names} is in {options.output}. Next: seq2seq evaluate {options.output}")
