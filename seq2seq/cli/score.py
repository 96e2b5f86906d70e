"""`seq2seq score`."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.cli.arguments import LAYOUT, Commands, add_device, add_precision, add_run
from seq2seq.cli.imports import import_torch
from seq2seq.errors import DataError, UserError

if TYPE_CHECKING:
    from seq2seq.inference.options import SearchChanges
    from seq2seq.inference.translation import Translation

CHUNK = 1024
"""Pairs that are scored before their results are printed."""


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "score",
        help="tell how probable given translations are",
        description="""Score given translations: log P(translation | source), of its subword tokens and </s>, in nats;
and the perplexity, exp(-log P / number of tokens). Sentences come from two line-aligned files, or from
standard input, a tab between the two of a line.""",
        epilog="""output:
  A line for each pair: log-probability, tab, perplexity. With --json an object for each: source, text, log_prob,
  perplexity, tokens (subword pieces and </s>) and token_log_probs. What is impossible, a translation of a blank line,
  has log-probability -inf; in JSON, null. --total prints one line, or object, for all pairs together.

examples:
  seq2seq score runs/demo --source test.en --target test.fr
  printf 'I am a student.\\tJe suis étudiant.\\n' | seq2seq score runs/demo --json""",
        formatter_class=LAYOUT,
    )
    add_run(parser)
    parser.add_argument("--source", metavar="FILE", type=Path, help="source sentences, one a line")
    parser.add_argument("--target", metavar="FILE", type=Path, help="their translations, line by line")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON object a line, with each token's log-probability"
    )
    parser.add_argument(
        "--total", action="store_true", help="print log-probability and perplexity of all together only"
    )
    add_precision(parser)
    add_device(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    import_torch()
    from seq2seq.inference.translator import Translator

    sources, targets = _read(options)
    translator = Translator.load(options.run, options.device)
    changes: SearchChanges = {} if options.precision is None else {"precision": options.precision}
    total, num_tokens = 0.0, 0
    for start in range(0, len(sources), CHUNK):
        for result in translator.align(sources[start : start + CHUNK], targets[start : start + CHUNK], **changes):
            total, num_tokens = total + result.log_prob, num_tokens + len(result.tokens)
            if not options.total:
                print(json.dumps(_record(result), ensure_ascii=False) if options.json else _line(result))
    if options.total and options.json:
        numbers = {"log_prob": _finite(total), "perplexity": _finite(perplexity(total, num_tokens))}
        print(json.dumps({"pairs": len(sources), "tokens": num_tokens, **numbers}))
    elif options.total:
        print(f"{total:.6f}\t{perplexity(total, num_tokens):.6f}")


def _read(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    from seq2seq.data.corpus import read_aligned
    from seq2seq.data.lines import MARK

    if (options.source is None) != (options.target is None):
        raise UserError("--source and --target go together: a file of sentences and its translations")
    if options.source is not None:
        pairs = list(read_aligned(options.source, options.target))
        return [source for source, _ in pairs], [target for _, target in pairs]
    pairs = []
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            line = line.removeprefix(MARK) if number == 1 else line
            fields = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8").split("\t")
        except UnicodeDecodeError as error:
            raise DataError(f"standard input: line {number}: byte {error.start + 1} is not valid UTF-8") from error
        if len(fields) != 2:
            raise DataError(
                f"standard input: line {number} has {len(fields) - 1} tabs; expected one: sentence, tab, translation"
            )
        pairs.append(fields)
    return [source for source, _ in pairs], [target for _, target in pairs]


def perplexity(log_prob: float, num_tokens: int) -> float:
    """exp(-log_prob / num_tokens); 1 of nothing at all, and infinite of what is impossible or beyond all numbers."""
    if log_prob == -math.inf:
        return math.inf
    exponent = -log_prob / max(num_tokens, 1)
    return math.exp(exponent) if exponent < 700 else math.inf


def _line(result: "Translation") -> str:
    return f"{result.log_prob:.6f}\t{perplexity(result.log_prob, len(result.tokens)):.6f}"


def _record(result: "Translation") -> dict[str, Any]:
    return {
        "source": result.source,
        "text": result.text,
        "log_prob": _finite(result.log_prob),
        "perplexity": _finite(perplexity(result.log_prob, len(result.tokens))),
        "tokens": result.tokens,
        "token_log_probs": [round(value, 6) for value in result.token_log_probs],
    }


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
