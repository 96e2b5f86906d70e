"""The command line: ``seq2seq train | average | evaluate | translate | attention | inspect``."""

import argparse
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from seq2seq.errors import TrainingStopped, UserError

CHUNK = 1024
"""Lines that `translate` reads from a file or pipe before it translates and writes them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, or 2 after a mistake of the user's, named in one line.

    A training that a signal stopped returns 128 and the signal's number, as shells do.
    """
    options = parse(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")  # whatever the locale says
    try:
        options.command(options)
        sys.stdout.flush()
    except UserError as error:
        print(f"seq2seq: error: {error}", file=sys.stderr)
        return 2
    except TrainingStopped as stop:
        print(f"seq2seq: {options.run}: {stop}", file=sys.stderr)
        return 128 + stop.signal
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"seq2seq: error: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        can_continue = "resume" in options and (options.run / "checkpoints" / "latest").exists()
        hint = "; --resume continues from the last checkpoint" if can_continue else ""
        print(f"seq2seq: interrupted{hint}", file=sys.stderr)
        return 130
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line. Overrides and sentences may stand before, between and after the options."""
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    # Of these argparse takes only those that stand together with the other positionals.
    texts = getattr(options, "overrides", getattr(options, "sentences", None))
    unknown = [text for text in rest if text.startswith("-") or texts is None]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if texts is not None:
        texts.extend(rest)
    return options


def build_parser() -> argparse.ArgumentParser:
    layout = partial(argparse.RawDescriptionHelpFormatter, max_help_position=28)
    parser = argparse.ArgumentParser(
        prog="seq2seq",
        usage="seq2seq [-h] COMMAND ...",
        description="Train, evaluate and use a translator with attention.",
        epilog="`seq2seq COMMAND --help` describes a command.",
        formatter_class=layout,
    )
    commands = parser.add_subparsers(metavar="COMMAND, one of", prog="seq2seq", required=True)

    train = commands.add_parser(
        "train",
        help="train a model from a config",
        description="Train a model from a config, and leave the run folder that the other commands read.",
        epilog="""examples:
  seq2seq train configs/demo.yaml --run runs/demo
  seq2seq train configs/demo.yaml model.attention.score=dot training.seed=2 --run runs/dot
  seq2seq train configs/demo.yaml --run runs/demo --resume""",
        formatter_class=layout,
    )
    train.add_argument("config", metavar="CONFIG", type=Path, help="YAML file of settings; see configs/")
    train.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="settings that replace those of the file")
    train.add_argument("--run", metavar="DIR", type=Path, required=True, help="the run folder to make, or to continue")
    train.add_argument("--resume", action="store_true", help="continue from the run folder's last checkpoint")
    train.set_defaults(command=run_train)

    average = commands.add_parser(
        "average",
        help="average the weights of several checkpoints",
        description="Make a run folder whose model is the mean of several that a training kept: "
        "of the best validations (training.keep_best) or of the last checkpoints (training.keep_checkpoints).",
        epilog="""examples:
  seq2seq average runs/demo --best 5 --output runs/demo-average
  seq2seq evaluate runs/demo-average""",
        formatter_class=layout,
    )
    _add_run(average)
    which = average.add_mutually_exclusive_group(required=True)
    which.add_argument("--best", metavar="N", type=_positive, help="average the best N")
    which.add_argument("--last", metavar="N", type=_positive, help="average the last N")
    average.add_argument("--output", metavar="DIR", type=Path, required=True, help="the run folder to make")
    average.set_defaults(command=run_average)

    evaluate = commands.add_parser(
        "evaluate",
        help="score a trained model: BLEU, chrF, TER",
        description="Translate a test set and score it with sacreBLEU: BLEU, chrF and TER, each with its signature.",
        epilog="""examples:
  seq2seq evaluate runs/demo
  seq2seq evaluate runs/demo --source my.en --target my.fr --output my.translated --json""",
        formatter_class=layout,
    )
    _add_run(evaluate)
    evaluate.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="which split of the run's config (default: test)",
    )
    evaluate.add_argument("--source", metavar="FILE", type=Path, help="score on this file of source sentences instead")
    evaluate.add_argument("--target", metavar="FILE", type=Path, help="the line-aligned references of --source")
    evaluate.add_argument("--output", metavar="FILE", type=Path, help="write the translations there, one a line")
    evaluate.add_argument("--json", action="store_true", help="print the scores and signatures as JSON")
    _add_search(evaluate)
    evaluate.set_defaults(command=run_evaluate)

    translate = commands.add_parser(
        "translate",
        help="translate sentences, or standard input",
        description="Translate the sentences given, or standard input: one line in, one line out.",
        epilog="""examples:
  seq2seq translate runs/demo "I am a student." "Where is the cat?"
  seq2seq translate runs/demo < in.txt > out.txt""",
        formatter_class=layout,
    )
    _add_run(translate)
    translate.add_argument("sentences", metavar="SENTENCE", nargs="*", help="a sentence; none reads standard input")
    _add_search(translate)
    translate.set_defaults(command=run_translate)

    attention = commands.add_parser(
        "attention",
        help="show what the model looked at",
        description="Translate sentences, or read translations that you give, and show the attention weights:\n"
        "in the terminal, as a picture, or as JSON.",
        epilog="""examples:
  seq2seq attention runs/demo "I am a student."
  seq2seq attention runs/demo "I am a student." "Where is the cat?" --output heatmap.png
  seq2seq attention runs/demo "I am a student." --target "Je suis une étudiante."
  seq2seq attention runs/demo "I am a student." --compare runs/dot --output heatmap.svg
  seq2seq attention runs/hybrid "I am a student." --encoder

A picture has a row for each sentence and a column for each run, all in one scale.
A .json file is a list with an object for each sentence and run:
  run            the name of the run's folder, with those above it where two share the name
  source         the sentence
  text           its translation                                        (not with --encoder)
  score          log-probability / number of tokens ** search.length_penalty    (the same)
  source_tokens  the subword pieces that the encoder read, closed by </s>
  tokens         the subword pieces of the translation, closed by </s>; with --encoder, the source's
  weights        [head][token][source token], rounded to 6 digits
  heads          the number of heads; with --encoder, of layers x heads""",
        formatter_class=layout,
    )
    _add_run(attention)
    attention.add_argument("sentences", metavar="SENTENCE", nargs="+", help="a sentence to translate")
    attention.add_argument(
        "--target",
        metavar="TRANSLATION",
        dest="targets",
        action="append",
        default=[],
        help="show what the model looks at as it reads this translation; once for each sentence, in order",
    )
    attention.add_argument(
        "--compare",
        metavar="RUN",
        type=Path,
        action="append",
        default=[],
        help="show this run beside the first; may be repeated",
    )
    attention.add_argument(
        "--encoder", action="store_true", help="show the self-attention of a Transformer encoder instead"
    )
    attention.add_argument("--output", metavar="FILE", type=Path, help="write there: a .png, .svg or .json")
    _add_search(attention)
    attention.set_defaults(command=run_attention)

    inspect = commands.add_parser(
        "inspect",
        help="list what a model consists of",
        description="""List a trained model's parameters, part by part, with their symbols in the literature;
its vocabularies; and the data that it was trained on. W, U and C are a recurrent cell's
weights of input, state and context, all gates in one matrix.""",
        epilog="""examples:
  seq2seq inspect runs/demo
  seq2seq inspect runs/demo --json""",
        formatter_class=layout,
    )
    _add_run(inspect)
    inspect.add_argument("--json", action="store_true", help="print the same as JSON")
    inspect.set_defaults(command=run_inspect)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder that `seq2seq train` left")


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--beam", metavar="K", type=_positive, help="beam size, 1 for greedy (default: the config's)")
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where to compute (default: a GPU if there is one)",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)


# Each command imports what it needs when it runs, so that --help waits for none of it.


def run_train(options: argparse.Namespace) -> None:
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


def run_average(options: argparse.Namespace) -> None:
    from seq2seq.training.averaging import average_run

    steps = average_run(options.run, options.output, options.best, options.last)
    names = ", ".join(map(str, steps))
    print(f"The mean of steps {names} is in {options.output}. Next: seq2seq evaluate {options.output}")


def run_evaluate(options: argparse.Namespace) -> None:
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


def run_translate(options: argparse.Namespace) -> None:
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


def run_attention(options: argparse.Namespace) -> None:
    from shutil import get_terminal_size

    from seq2seq.files import require_writable, write_atomically

    output = options.output
    if output is not None:
        require_writable(output)
        if output.suffix.lower() not in (".png", ".svg", ".json"):
            raise UserError(f"{output}: --output writes files that end with .png, .svg or .json")
    if options.targets and len(options.targets) != len(options.sentences):
        given, wanted = len(options.targets), len(options.sentences)
        raise UserError(f"--target is given {given} x, for {wanted} sentences: give it once for each, or not at all")

    if options.encoder and options.targets:
        raise UserError("--encoder and --target do not go together: an encoder reads the source alone")

    from seq2seq.inference.attention_views import view_attention, view_self_attention
    from seq2seq.inference.plots import plot_panels
    from seq2seq.inference.terminal import draw_panels

    runs = [options.run, *options.compare]
    if options.encoder:
        rows = view_self_attention(runs, options.sentences, options.device)
    else:
        rows = view_attention(runs, options.sentences, options.targets, options.beam, options.device)
    grid = [[view.panel() for view in row] for row in rows]
    if output is None:
        print(draw_panels([panel for row in grid for panel in row], get_terminal_size().columns))
        return
    if output.suffix.lower() == ".json":
        records = [view.record() for row in rows for view in row]
        write_atomically(output, json.dumps(records, ensure_ascii=False).encode("utf-8", errors="replace"))
    else:
        missing = plot_panels(grid, output, target_word="source" if options.encoder else "translation")
        if missing:
            print(f"seq2seq: no installed font has these characters, drawn as boxes: {missing}", file=sys.stderr)
    for view in (view for row in rows for view in row):
        if view.text is not None:
            print(f"{view.run}: " * (len(runs) > 1) + view.text)


def run_inspect(options: argparse.Namespace) -> None:
    from shutil import get_terminal_size

    from seq2seq.inference.inspection import format_inspection, inspect_run

    inspection = inspect_run(options.run)
    width = get_terminal_size().columns if sys.stdout.isatty() else None
    print(inspection.to_json() if options.json else format_inspection(inspection, width))


if __name__ == "__main__":
    sys.exit(main())
