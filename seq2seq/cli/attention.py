"""`seq2seq attention`."""

import argparse
import json
from pathlib import Path

from seq2seq.cli.arguments import LAYOUT, Commands, add_run, add_search, as_text
from seq2seq.cli.imports import import_torch
from seq2seq.cli.messages import tell
from seq2seq.errors import UserError


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
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
  score          by which search ranks: log-probability / number of tokens, as search.length_* has it  (the same)
  source_tokens  the subword pieces that the encoder read, closed by </s>
  tokens         the subword pieces of the translation, closed by </s>; with --encoder, the source's
  weights        [head][token][source token], rounded to 6 digits
  heads          the number of heads; with --encoder, of layers x heads""",
        formatter_class=LAYOUT,
    )
    add_run(parser)
    parser.add_argument("sentences", metavar="SENTENCE", nargs="+", help="a sentence to translate")
    parser.add_argument(
        "--target",
        metavar="TRANSLATION",
        dest="targets",
        action="append",
        default=[],
        help="show what the model looks at as it reads this translation; once for each sentence, in order",
    )
    parser.add_argument(
        "--compare",
        metavar="RUN",
        type=Path,
        action="append",
        default=[],
        help="show this run beside the first; may be repeated",
    )
    parser.add_argument(
        "--encoder", action="store_true", help="show the self-attention of a Transformer encoder instead"
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="write there: a .png, .svg or .json")
    add_search(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
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

    import_torch()
    from seq2seq.visualization.attention_views import view_attention, view_self_attention
    from seq2seq.visualization.plots import plot_panels
    from seq2seq.visualization.terminal import draw_panels

    runs = [options.run, *options.compare]
    sentences, targets = ([as_text(text) for text in texts] for texts in (options.sentences, options.targets))
    if options.encoder:
        rows = view_self_attention(runs, sentences, options.device)
    else:
        rows = view_attention(runs, sentences, targets, options.beam_size, options.device)
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
            tell(f"no installed font has these characters, drawn as boxes: {missing}")
    for view in (view for row in rows for view in row):
        if view.text is not None:
            print(f"{view.run}: " * (len(runs) > 1) + view.text)
