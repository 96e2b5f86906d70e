"""`seq2seq train`."""

import argparse
import sys
from pathlib import Path

from seq2seq.cli.arguments import LAYOUT, Commands
from seq2seq.errors import TrainingStopped


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model from a config",
        description="Train a model from a config, and leave the run folder that the other commands read.",
        epilog="""examples:
  seq2seq train configs/demo.yaml --run runs/demo
  seq2seq train configs/demo.yaml model.attention.score=scaled_dot training.seed=2 --run runs/dot
  seq2seq train configs/demo.yaml --run runs/demo --resume""",
        formatter_class=LAYOUT,
    )
    parser.add_argument("config", metavar="CONFIG", type=Path, help="YAML file of settings; see configs/")
    parser.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="settings that replace those of the file")
    parser.add_argument("--run", metavar="DIR", type=Path, required=True, help="the run folder to make, or to continue")
    parser.add_argument("--resume", action="store_true", help="continue from the run folder's last checkpoint")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    from seq2seq.config_file import load_config
    from seq2seq.training.logs import log_to
    from seq2seq.training.loop import train
    from seq2seq.training.processes import is_main_process
    from seq2seq.training.run_folder import log_environment, open_run

    config = load_config(options.config, options.overrides)
    if not is_main_process():  # the first one writes, and says what there is to say
        try:
            train(config, options.run, options.resume)
        except TrainingStopped as stop:
            sys.exit(128 + stop.signal)
        return
    with open_run(config, options.run, options.resume) as changes, log_to(options.run / "train.log"):
        log_environment(config, changes)
        train(config, options.run, options.resume)
    print(f'The best model is in {options.run}. Next: seq2seq translate {options.run} "..."')
