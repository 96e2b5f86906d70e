"""`seq2seq lexicon`."""

import argparse
from pathlib import Path

from seq2seq.cli.arguments import LAYOUT, Commands


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "lexicon",
        help="learn a table of likely translations, for faster search",
        description="""Learn which target pieces each source piece is translated by, from the text that a run was
trained on, and leave the table in the run folder, as lexicon.safetensors. With it `--shortlist`
of `translate` and `evaluate` searches among the likely pieces only.

It takes some seconds for each ten thousand pairs, and of a long text no more pairs than
tokenizer.learn_from. The model is not touched; it need not be trained yet, only begun.""",
        epilog="""examples:
  seq2seq lexicon runs/demo
  seq2seq translate runs/demo --shortlist < in.txt > out.txt
  seq2seq evaluate runs/demo --shortlist""",
        formatter_class=LAYOUT,
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder that `seq2seq train` left")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    from seq2seq.training.run_lexicon import learn_run_lexicon

    path, num_pairs = learn_run_lexicon(options.run)
    print(f"{path} is learned from {num_pairs:,} pairs. Next: seq2seq translate {options.run} --shortlist")
