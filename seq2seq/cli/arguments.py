"""Arguments that several commands share."""

import argparse
import os
from functools import partial
from pathlib import Path

Commands = argparse._SubParsersAction  # what `add_subparsers` returns; argparse has no public name for it
LAYOUT = partial(argparse.RawDescriptionHelpFormatter, max_help_position=28)
SEARCH_PRECISIONS = ("float32", "bfloat16", "int8")


def add_run(parser: argparse.ArgumentParser) -> None:
    help = "a run folder, an exported folder, or owner/name on the Hugging Face hub"
    parser.add_argument("run", metavar="RUN", type=Path, help=help)
    add_imports(parser)


def add_imports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--import",
        metavar="MODULE",
        dest="imports",
        action="append",
        default=[],
        help="import this module first, where a model names a class of it, as package.module:Class; may be repeated",
    )


def add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--beam-size", metavar="K", type=positive, help="hypotheses kept, 1 for greedy (default: the config's)"
    )
    add_device(parser)


def add_faster_search(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--beam-threshold",
        metavar="NATS",
        type=float,
        help="drop hypotheses whose log-probability is lower than that of their sentence's best by more than this: "
        "faster, with 2 or so almost as good (default: the config's)",
    )
    parser.add_argument(
        "--shortlist",
        action="store_true",
        default=None,
        help="search only among the target pieces that a batch's source pieces are likely to need: faster, almost as "
        "good; a translation may then depend on its batch (first: seq2seq lexicon RUN)",
    )


def add_precision(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--precision",
        choices=SEARCH_PRECISIONS,
        help="number format of the matrix products; int8, for x86 processors, is the fastest there (default: the "
        "config's search.precision)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where to compute (default: a GPU if there is one)",
    )


def as_text(argument: str) -> str:
    """What was typed, which is UTF-8, as the streams are, whatever the locale makes of it."""
    return os.fsencode(argument).decode("utf-8", errors="replace")


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)
