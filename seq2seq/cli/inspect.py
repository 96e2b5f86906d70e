"""`seq2seq inspect`."""

import argparse
import sys

from seq2seq.cli.arguments import LAYOUT, Commands, add_run
from seq2seq.cli.imports import import_torch


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "inspect",
        help="list what a model consists of",
        description="""List a trained model's parameters, part by part, with their symbols in the literature;
its vocabularies; and the data that it was trained on. W, U and C are a recurrent cell's
weights of input, state and context, all gates in one matrix.""",
        epilog="""examples:
  seq2seq inspect runs/demo
  seq2seq inspect runs/demo --json""",
        formatter_class=LAYOUT,
    )
    add_run(parser)
    parser.add_argument("--json", action="store_true", help="print the same as JSON")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    from shutil import get_terminal_size

    import_torch()
    from seq2seq.visualization.inspection import format_inspection, inspect_run

    inspection = inspect_run(options.run)
    width = get_terminal_size().columns if sys.stdout.isatty() else None
    print(inspection.to_json() if options.json else format_inspection(inspection, width))
