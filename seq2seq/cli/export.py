"""`seq2seq export`."""

import argparse
from pathlib import Path

from seq2seq.cli.arguments import LAYOUT, Commands, add_run
from seq2seq.errors import UserError


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "export",
        help="make a model ready to share, here or on a hub",
        description="""Write a trained model as a folder that is complete without the run, or put it on the hub:
the weights, the tokenizer, the settings without the folders of your data, counts and hashes
of the data, the scores of the best validation, and a model card (README.md).""",
        epilog="""examples:
  seq2seq export runs/demo --output demo-en-fr
  seq2seq evaluate runs/demo --json > scores.json
  seq2seq export runs/demo --scores scores.json --push owner/demo-en-fr
  seq2seq translate owner/demo-en-fr "I am a student."

The hub is told who you are by `hf auth login`, or HF_TOKEN.""",
        formatter_class=LAYOUT,
    )
    add_run(parser)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--output", metavar="DIR", type=Path, help="the folder to make")
    where.add_argument(
        "--push", metavar="NAME", help="put it on the hub as owner/name, or on a branch of that, owner/name@branch"
    )
    parser.add_argument("--private", action="store_true", help="with --push: for you alone to see")
    parser.add_argument(
        "--scores", metavar="FILE", type=Path, help="what `seq2seq evaluate RUN --json` printed, for the model card"
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    from seq2seq.inference.translator import Translator
    from seq2seq.sharing.hub import split_name
    from seq2seq.sharing.model_folder import read_json
    from seq2seq.sharing.scores import check_scores

    if options.private and options.push is None:
        raise UserError("--private goes with --push: a folder is as private as where you put it")
    repo, branch = (None, None) if options.push is None else split_name(options.push)
    scores = None
    if options.scores is not None:
        scores = check_scores(read_json(options.scores), options.scores).model_dump(exclude_none=True)
    translator = Translator.load(options.run, "cpu")
    if repo is None:
        translator.save_pretrained(options.output, scores)
        print(f"The model is in {options.output}. Next: read {options.output / 'README.md'}")
    else:
        private = True if options.private else None
        print(translator.push_to_hub(repo, private=private, revision=branch, scores=scores))
