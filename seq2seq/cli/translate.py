"""`seq2seq translate`."""

import argparse
import sys
from collections.abc import Iterable, Iterator

from seq2seq.cli.arguments import LAYOUT, Commands, add_run, add_search

CHUNK = 1024
"""Lines read from a file or pipe before they are translated and written."""


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "translate",
        help="translate sentences, or standard input",
        description="Translate the sentences given, or standard input: one line in, one line out.",
        epilog="""examples:
  seq2seq translate runs/demo "I am a student." "Where is the cat?"
  seq2seq translate runs/demo < in.txt > out.txt""",
        formatter_class=LAYOUT,
    )
    add_run(parser)
    parser.add_argument("sentences", metavar="SENTENCE", nargs="*", help="a sentence; none reads standard input")
    add_search(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    from seq2seq.inference.translator import Translator

    translator = Translator.load(options.run, options.device)
    sources = iter([options.sentences]) if options.sentences else _read_chunks(sys.stdin.buffer, sys.stdin.isatty())
    for sentences in sources:
        for result in translator.translate(sentences, options.beam):
            print(result.text)
        sys.stdout.flush()


def _read_chunks(stream: Iterable[bytes], interactive: bool) -> Iterator[list[str]]:
    """Lines of standard input, split at \\n only; from a terminal one by one, else many at a time."""
    chunk: list[str] = []
    for line in stream:
        chunk.append(line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", errors="replace"))
        if interactive or len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
