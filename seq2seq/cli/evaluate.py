"""`seq2seq evaluate`."""

import argparse
import json
import sys
from pathlib import Path

from seq2seq.cli.arguments import LAYOUT, Commands, add_run, add_search
from seq2seq.errors import UserError


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="score a trained model: BLEU, chrF, TER",
        description="Translate a test set and score it with sacreBLEU: BLEU, chrF and TER, each with its signature.",
        epilog="""examples:
  seq2seq evaluate runs/demo
  seq2seq evaluate runs/demo --source my.en --target my.fr --output my.translated --json""",
        formatter_class=LAYOUT,
    )
    add_run(parser)
    parser.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="which split of the run's config (default: test)",
    )
    parser.add_argument("--source", metavar="FILE", type=Path, help="score on this file of source sentences instead")
    parser.add_argument("--target", metavar="FILE", type=Path, help="the line-aligned references of --source")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write the translations there, one a line")
    parser.add_argument("--json", action="store_true", help="print the scores and signatures as JSON")
    add_search(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    from seq2seq.config import CorpusConfig
    from seq2seq.data.corpus import read_corpus
    from seq2seq.files import require_writable, write_atomically
    from seq2seq.inference.evaluation import score_translations
    from seq2seq.inference.translator import Translator

    if (options.source is None) != (options.target is None):
        raise UserError("--source and --target go together: a file of sentences and its references")
    if options.output is not None:
        require_writable(options.output)
    translator = Translator.load(options.run, options.device)
    data = translator.config.data
    if options.source is not None:
        corpus = read_corpus(CorpusConfig(source=str(options.source), target=str(options.target)), data, "test")
    else:
        split = getattr(data, options.split)
        if split is None:
            raise UserError(
                f"{options.run}: its config has no data.{options.split}; name files with --source and --target"
            )
        corpus = read_corpus(split, data, options.split)
    results = translator.translate(corpus.source, options.beam, show_progress=sys.stderr.isatty())
    translations = [result.text for result in results]
    if options.output is not None:
        write_atomically(options.output, "".join(text + "\n" for text in translations))
    scores = score_translations(translations, corpus.target, data.target_language)
    if options.json:
        print(json.dumps({name: score._asdict() for name, score in scores.items()}, indent=2))
    else:
        for name, score in scores.items():
            print(f"{ {'bleu': 'BLEU', 'chrf': 'chrF', 'ter': 'TER'}[name]:4} {score.score:6.2f}   {score.signature}")
