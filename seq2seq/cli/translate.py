"""`seq2seq translate`."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from seq2seq.cli.arguments import (
    LAYOUT,
    Commands,
    add_faster_search,
    add_precision,
    add_run,
    add_search,
    as_text,
    positive,
)
from seq2seq.cli.imports import import_torch
from seq2seq.cli.lines import Notes, read_chunks
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.inference.translation import Translation
    from seq2seq.inference.translator import Translator


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "translate",
        help="translate sentences, files or standard input",
        usage="seq2seq translate [options] RUN [RUN ...] [SENTENCE ...]",
        description="""Translate the sentences given, a file, or standard input: one line in, one line out.
On a terminal it prompts.

Several runs of one vocabulary vote: each token's probability is the mean of theirs. The first
argument is a run, and so is each after it up to the first that is no existing folder; what follows
are sentences. A sentence that is the name of a folder here, or begins with a dash, goes after `--`:
  seq2seq translate runs/demo -- data "- Yes."\n""",
        epilog="""output:
  A line holds the translation. With --n-best it begins with the number of the input line, counted
  from 1, and there may be several for one; with --scores a score comes before the translation, with
  --alignment the pairs after it; all with a tab between.

examples:
  seq2seq translate runs/demo "I am a student." "Where is the cat?"
  seq2seq translate runs/demo < in.txt > out.txt
  seq2seq translate runs/a runs/b --input in.txt --output out.txt
  seq2seq translate runs/demo --beam-size 10 --n-best 5 --scores "I am a student."
  seq2seq translate runs/demo --sample --temperature 0.8 --top-p 0.9 "I am a student.\"""",
        formatter_class=LAYOUT,
    )
    add_run(parser)
    parser.add_argument("sentences", metavar="SENTENCE", nargs="*", help="a sentence; none reads standard input")
    files = parser.add_argument_group("what to read and write")
    files.add_argument("--input", metavar="FILE", type=Path, help="translate the lines of this file")
    files.add_argument("--output", metavar="FILE", type=Path, help="write there, at the end and whole, not to stdout")
    files.add_argument("--n-best", metavar="N", type=positive, help="several translations a line, the best first")
    files.add_argument("--scores", action="store_true", help="print the score by which translations are ranked")
    files.add_argument(
        "--alignment", action="store_true", help="print which words belong together, by attention: 0-0 2-1"
    )
    files.add_argument(
        "--attention-json",
        metavar="FILE",
        type=Path,
        help="write the attention weights: a JSON object a line in, with the keys of `seq2seq attention`",
    )
    add_search(parser)
    search = parser.add_argument_group("search (defaults: the config's)")
    search.add_argument("--batch-tokens", metavar="N", type=positive, help="padded source tokens a batch x beam size")
    search.add_argument("--prefix", metavar="TEXT", default="", help="what each translation begins with")
    search.add_argument(
        "--length-normalization",
        choices=("exponent", "gnmt", "reward"),
        help="rank by log-probability / length ** A, / ((5 + length) / 6) ** A, or + A x length",
    )
    search.add_argument("--length-penalty", metavar="A", type=float, help="that A; 0 ranks by log-probability alone")
    search.add_argument("--coverage-penalty", metavar="B", type=float, help="price on source tokens without attention")
    search.add_argument("--no-repeat-ngram-size", metavar="N", type=int, help="no run of N subword tokens comes twice")
    search.add_argument("--min-length-ratio", metavar="R", type=float, help="least tokens a source token")
    search.add_argument("--max-length-ratio", metavar="R", type=float, help="most tokens a source token, plus ten")
    search.add_argument("--max-source-length", metavar="N", type=positive, help="the source is cut to so many tokens")
    add_precision(search)
    add_faster_search(search)
    sampling = parser.add_argument_group("sampling, in place of a beam")
    sampling.add_argument("--sample", action="store_true", default=None, help="draw tokens by their probability")
    sampling.add_argument("--temperature", metavar="T", type=float, help="below 1 the likely get likelier (default: 1)")
    sampling.add_argument("--top-k", metavar="K", type=positive, help="draw from the K likeliest tokens")
    sampling.add_argument(
        "--top-p", metavar="P", type=float, help="draw from the likeliest that are together so probable"
    )
    sampling.add_argument("--seed", metavar="N", type=int, help="the same seed draws the same (default: 1)")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    import_torch()
    from seq2seq.files import opened_atomically, require_writable
    from seq2seq.inference.translation import attention_record
    from seq2seq.inference.translator import Translator

    runs, sentences = split_runs(options)
    if sentences and options.input is not None:
        raise UserError(f"--input {options.input} and sentences do not go together: give one of them")
    written = [path for path in (options.output, options.attention_json) if path is not None]
    for path in written:
        require_writable(path, [options.input] if options.input is not None else [])
    if len({path.resolve() for path in written}) < len(written):
        raise UserError(f"--output and --attention-json are both {options.output}: name two files")
    translator = Translator.load_ensemble(runs, options.device)
    for name in ("alignment", "attention_json"):
        if getattr(options, name):
            translator.require_attention("--" + name.replace("_", "-"))

    with ExitStack() as files:
        notes = Notes("sentences" if sentences else str(options.input or "standard input"))
        prompts = not sentences and options.input is None and sys.stdin.isatty()
        if sentences:
            chunks: Iterable[list[str]] = [sentences]
        elif prompts:
            chunks = _prompt() if sys.stdout.isatty() else read_chunks(sys.stdin.buffer, notes)  # type: ignore[arg-type]
        else:
            stream = files.enter_context(open(options.input, "rb")) if options.input else sys.stdin.buffer
            chunks = read_chunks(stream, notes)  # type: ignore[arg-type]
        output = files.enter_context(opened_atomically(options.output)) if options.output else None
        weights = files.enter_context(opened_atomically(options.attention_json)) if options.attention_json else None
        shown = (
            sys.stderr.isatty() and not sentences and not prompts and (output is not None or not sys.stdout.isatty())
        )
        changes: Any = {name: value for name in SEARCH if (value := getattr(options, name)) is not None}
        results = translator.translate_stream(
            chunks, options.beam_size, prefix=as_text(options.prefix), show_progress=shown, **changes
        )
        for line, result in enumerate(results, start=1):
            if result.num_unread:
                notes.add(line, f"the last {result.num_unread:,} of its subword tokens were not read")
            _write("".join(f"{text}\n" for text in _lines(line, result, translator, options)), output)
            if weights is not None:
                record = json.dumps(attention_record(result), ensure_ascii=False)
                weights.write(record.encode("utf-8", errors="replace") + b"\n")
        notes.finish()


SEARCH = (
    "batch_tokens", "beam_threshold", "coverage_penalty", "length_normalization", "length_penalty", "max_length_ratio",
    "max_source_length", "min_length_ratio", "n_best", "no_repeat_ngram_size", "precision", "sample", "seed",
    "shortlist", "temperature", "top_k", "top_p",
)  # fmt: skip
"""Options that go to search as they are; where they are not given, the config decides."""


def split_runs(options: argparse.Namespace) -> tuple[list[Path], list[str]]:
    """The arguments as runs and sentences, by the rule that --help tells."""
    runs = [options.run]
    for sentence in options.sentences:
        if not Path(sentence).is_dir():
            break
        runs.append(Path(sentence))
    return runs, [as_text(text) for text in options.sentences[len(runs) - 1 :] + options.after_dashes]


def _prompt() -> Iterator[list[str]]:
    """Sentences typed on a terminal, with the line editing and the history of readline."""
    with suppress(ImportError):  # in a Python without: a plain prompt
        import readline  # noqa: F401  its import is what changes `input`
    try:
        while True:
            yield [input("> ")]
    except (EOFError, KeyboardInterrupt):
        print()


def _lines(number: int, result: "Translation", translator: "Translator", options: argparse.Namespace) -> Iterator[str]:
    for translation in (result, *result.alternatives):
        fields = [translation.text]
        if options.scores:
            fields.insert(0, f"{translation.score:.6f}")
        if options.n_best is not None:
            fields.insert(0, str(number))
        if options.alignment:
            fields.append(" ".join(f"{source}-{target}" for source, target in translator.align_words(translation)))
        yield "\t".join(fields)


def _write(text: str, output: BinaryIO | None) -> None:
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        output.write(text.encode("utf-8", errors="replace"))
