"""`seq2seq evaluate`."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.cli.arguments import LAYOUT, Commands, add_faster_search, add_imports, add_search, positive
from seq2seq.cli.imports import import_torch
from seq2seq.cli.messages import tell
from seq2seq.errors import DataError, UserError

if TYPE_CHECKING:
    from seq2seq.evaluation.held_out import HeldOut
    from seq2seq.evaluation.overlap import Overlap
    from seq2seq.evaluation.systems import System
    from seq2seq.inference.options import SearchChanges


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="score a trained model, or compare several: BLEU, chrF, TER",
        description="Translate a test set and score it with sacreBLEU: BLEU, chrF and TER, each with its signature.\n"
        "Several runs are compared with the first, on the same test set, or with --ensemble scored as one.",
        epilog="""examples:
  seq2seq evaluate runs/demo
  seq2seq evaluate runs/demo --source my.en --target my.fr --output my.translated --json
  seq2seq evaluate runs/demo --shortlist
  seq2seq evaluate runs/demo --bootstrap 1000 --by-length --examples 3 --overlap
  seq2seq evaluate runs/demo runs/dot runs/none --plot by_length.png
  seq2seq evaluate runs/a runs/b --ensemble
  seq2seq evaluate runs/demo --translations demo.fr --translations theirs.fr

After μ stand the mean and half the width of the 95 % interval over samples of the sentences, drawn with replacement.
p is that of a difference from the baseline as large as the one found, were it chance alone (paired bootstrap). Both
are sacreBLEU's; the environment variable SACREBLEU_SEED sets another seed than 12345, or none.

--json prints an object for one system, and for several a list of such objects, the baseline first. Its keys:
  run            the run folder, as given; of an ensemble all, with " + " between
  translations   the file of translations, as given, or null
  num_sentences  of the test set
  bleu, chrf, ter  each an object with
    score        from 0 to 100; of TER less is better, and it may be more
    signature    sacreBLEU's: what another must set to get the same score
    confidence   {mean, half_width} of the 95 % interval; null without --bootstrap, for one system
    p_value      null for one system, and for the baseline
  speed          {seconds, sentences_per_second, tokens_per_second} of translating alone, subword tokens with each
                 </s>; null with --translations
  by_length      [{shortest, longest, num_sentences, bleu}], words of the source; null without --by-length or --plot
  examples       {longest, best, worst}, each [{line, chrf, source, reference, translation}]; null without --examples
  overlap        {num_pairs, num_sources, num_sentences}; null without --overlap, or if the training text is gone""",
        formatter_class=LAYOUT,
    )
    parser.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        help="a run folder, an exported folder, or owner/name on the Hugging Face hub; the first is the baseline",
    )
    parser.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="which split of the run's config (default: test)",
    )
    parser.add_argument("--source", metavar="FILE", type=Path, help="score on this file of source sentences instead")
    parser.add_argument("--target", metavar="FILE", type=Path, help="the line-aligned references of --source")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write the translations there, one a line")
    parser.add_argument(
        "--translations",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="score these, one a line, instead of translating; RUN tells the test set and the language only; "
        "may be repeated, to compare with the first",
    )
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="the runs vote, as in `seq2seq translate RUN RUN`, and are scored as one",
    )
    parser.add_argument("--lowercase", action="store_true", help="ignore case in BLEU and chrF, too")
    parser.add_argument(
        "--bootstrap",
        metavar="N",
        type=resamples,
        help="give each score a 95%% confidence interval from N samples (default: none; for several systems 1000)",
    )
    parser.add_argument("--by-length", action="store_true", help="BLEU of short to long source sentences")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw that, too: a .png or .svg; implies --by-length")
    parser.add_argument(
        "--examples", metavar="N", type=positive, help="show the N longest, N best and N worst sentences, by chrF"
    )
    parser.add_argument(
        "--overlap", action="store_true", help="count the sentences that the run's training text has, too"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON, as below")
    add_imports(parser)
    add_search(parser)
    add_faster_search(parser)
    parser.set_defaults(command=run)


def resamples(text: str) -> int:
    if not text.isdecimal() or int(text) < 40:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 40 up: with fewer no 95 % can be told")
    return int(text)


def run(options: argparse.Namespace) -> None:
    runs = [Path(run) for run in options.runs]
    _check(options, runs)

    from seq2seq.evaluation.held_out import read_held_out
    from seq2seq.evaluation.metrics import build_metric
    from seq2seq.evaluation.reports import format_report
    from seq2seq.evaluation.systems import evaluate_systems
    from seq2seq.files import require_writable

    held_out = read_held_out(runs, options.split, options.source, options.target)
    build_metric("bleu", held_out.target_language)  # fails now rather than after translating
    if options.output is not None:
        require_writable(options.output, held_out.files)
    if options.translations:
        systems = _read(options.translations, runs[0], len(held_out.references))
    else:
        systems = _translate(options, runs, held_out.sources)
    _note_tokenized(systems)
    by_length = options.by_length or options.plot is not None
    evaluations = evaluate_systems(systems, held_out, options.bootstrap, options.lowercase, by_length, options.examples)
    if options.plot is not None:
        from seq2seq.visualization.labels import short_names
        from seq2seq.visualization.line_plots import plot_by_length

        names = short_names([Path(system.name) for system in systems])
        buckets = [evaluation.by_length or [] for evaluation in evaluations]
        plot_by_length(dict(zip(names, buckets, strict=True)), options.plot)
    if options.overlap:
        overlaps = _count_overlaps(runs, held_out)
        evaluations = [replace(e, overlap=overlaps.get(e.system.run)) for e in evaluations]
    if options.json:
        records = [evaluation.record() for evaluation in evaluations]
        print(json.dumps(records if len(records) > 1 else records[0], indent=2, ensure_ascii=False))
    else:
        print(format_report(evaluations))


def _check(options: argparse.Namespace, runs: list[Path]) -> None:
    """Refuse, before long work, what does not go together or cannot be written."""
    from seq2seq.files import require_writable

    if (options.source is None) != (options.target is None):
        raise UserError("--source and --target go together: a file of sentences and its references")
    for given in (runs, options.translations):
        places = [path.resolve() for path in given]
        for path, place in zip(given, places, strict=True):
            if places.count(place) > 1:
                raise UserError(f"{path}: is named {places.count(place)} x: name each once")
    if options.translations and len(runs) > 1:
        raise UserError("--translations takes one RUN, for the test set and the language: the systems are its files")
    if options.ensemble and len(runs) < 2:
        raise UserError("--ensemble takes two RUN or more, which vote")
    if options.ensemble and options.overlap:
        raise UserError("--overlap is of one run's training text: ask for it without --ensemble")
    num_systems = 1 if options.ensemble else max(len(runs), len(options.translations))
    if options.output is not None:
        if options.translations or num_systems > 1:
            raise UserError("--output writes the translations of one RUN: evaluate one, without --translations")
        require_writable(options.output)
    if options.plot is not None:
        from seq2seq.visualization.pictures import require_picture_name

        require_picture_name(options.plot)
        require_writable(options.plot)
    if options.bootstrap is not None or num_systems > 1:
        from seq2seq.evaluation.metrics import require_seed

        require_seed()


def _read(files: list[Path], run: Path, num_sentences: int) -> "list[System]":
    """The translations of each file."""
    from seq2seq.data.lines import read_lines
    from seq2seq.evaluation.systems import System

    systems = [System(str(run), list(read_lines(file)), file=str(file)) for file in files]
    for system in systems:
        if len(system.texts) != num_sentences:
            raise DataError(
                f"{system.file} has {len(system.texts)} lines, for a test set of {num_sentences} sentences: "
                "a file of translations has one a line"
            )
    return systems


def _translate(options: argparse.Namespace, runs: list[Path], sources: list[str]) -> "list[System]":
    """The translations of each run, or of all together, and how fast they came."""
    import_torch()
    from seq2seq.evaluation.speed import translate_timed
    from seq2seq.evaluation.systems import System
    from seq2seq.files import write_atomically
    from seq2seq.inference.translator import Translator

    if options.ensemble:
        translators = {" + ".join(map(str, runs)): Translator.load_ensemble(runs, options.device)}
    else:
        translators = {str(run): Translator.load(run, options.device) for run in runs}  # all, before long work
    changes: SearchChanges = {}
    if options.beam_threshold is not None:
        changes["beam_threshold"] = options.beam_threshold
    if options.shortlist:
        changes["shortlist"] = True
        _ = [translator.lexicon for translator in translators.values()]  # what is missing shows now
    systems = []
    for name, translator in translators.items():
        texts, speed = translate_timed(translator, sources, options.beam_size, sys.stderr.isatty(), **changes)
        systems.append(System(name, texts, speed=speed))
        tell(
            f"{name}: translated {len(texts):,} sentences in {speed.seconds:.1f} s: "
            f"{speed.sentences_per_second:,.1f} sentences/s, {speed.tokens_per_second:,.0f} target tokens/s"
        )
        if options.output is not None:
            write_atomically(options.output, "".join(text + "\n" for text in texts))
    return systems


def _note_tokenized(systems: "list[System]") -> None:
    from seq2seq.evaluation.metrics import TOKENIZED, num_tokenized

    for system in systems:
        number = num_tokenized(system.texts)
        if number >= TOKENIZED:
            tell(
                f"{system.name}: {number:,} of {len(system.texts):,} translations end in a tokenized period "
                "(' .'): detokenize them, or their scores compare with no others"
            )


def _count_overlaps(runs: list[Path], held_out: "HeldOut") -> dict[str, "Overlap"]:
    """The overlap of each run whose training text can still be read; the others are named on stderr."""
    from seq2seq.data.corpus import read_pairs
    from seq2seq.evaluation.overlap import count_overlap

    overlaps: dict[str, Overlap] = {}
    for run, config in zip(runs, held_out.configs, strict=True):
        like = next(r for r, c in zip(runs, held_out.configs, strict=True) if c.data == config.data)
        if str(like) in overlaps:  # of one that learnt from the same text
            overlaps[str(run)] = overlaps[str(like)]
            continue
        test = zip(held_out.sources, held_out.references, strict=True)
        try:
            training = read_pairs(config.data.train, config.data, "train")
            overlaps[str(run)] = count_overlap(test, training, sys.stderr.isatty())
        except DataError as error:
            tell(f"{run}: overlap not counted: {error}")
    return overlaps
