"""The command line: ``seq2seq COMMAND``, with train, average, lexicon, evaluate, translate, score, attention, inspect,
export.

A command has a module of its own here, with `add_to`, which tells argparse about it, and `run`, which imports what the
command needs when it runs: `--help` waits for none of it.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from seq2seq.cli import attention, average, evaluate, export, inspect, lexicon, score, train, translate
from seq2seq.cli.arguments import LAYOUT
from seq2seq.cli.messages import tell
from seq2seq.errors import TrainingStopped, UserError

COMMANDS = (train, average, lexicon, evaluate, translate, score, attention, inspect, export)
"""In the order in which --help lists them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, or 2 after a mistake of the user's, named in one line.

    A training that a signal stopped returns 128 and the signal's number, as shells do.
    """
    has_output = sys.stdout is not None
    open_missing_streams()
    options = parse(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")  # whatever the locale says
    try:
        if not has_output:
            raise UserError("standard output is closed: send it to a file, or to /dev/null")
        if getattr(options, "imports", []):
            from seq2seq.plugins import import_for_models

            import_for_models(options.imports)
        options.command(options)
        sys.stdout.flush()
    except UserError as error:
        tell(f"error: {error}")
        return 2
    except TrainingStopped as stop:
        tell(f"{options.run}: {stop}")
        return 128 + stop.signal
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        tell(f"error: {error.filename or 'output'}: {error.strerror}")
        return 2
    except (RuntimeError, MemoryError) as error:
        from seq2seq.device import is_out_of_memory  # in a process that has torch, or no memory for anything

        if not is_out_of_memory(error):
            raise
        tell("error: out of memory: lower batch_tokens, beam_size, or the sizes under model")
        return 2
    except KeyboardInterrupt:
        can_continue = "resume" in options and (options.run / "checkpoints" / "latest").exists()
        hint = "; --resume continues from the last checkpoint" if can_continue else ""
        tell(f"interrupted{hint}")
        return 130
    return 0


def open_missing_streams() -> None:
    """Put /dev/null in the place of standard streams that the caller closed: the next file opened, a checkpoint say,
    would take that place, and with it what libraries write to stderr."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 (open to the end)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line. Overrides, sentences and runs may stand before, between and after the options; after `--`
    come none but sentences."""
    parser = build_parser()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options, rest = parser.parse_known_args(arguments[:end])
    # Of these argparse takes only those that stand together with the other positionals.
    texts = next((getattr(options, name) for name in ("overrides", "sentences", "runs") if name in options), None)
    unknown = [text for text in rest if text.startswith("-") or texts is None]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if texts is not None:
        texts.extend(rest)
    options.after_dashes = arguments[end + 1 :]
    if options.after_dashes and "sentences" not in options:
        parser.error(f"unrecognized arguments: {' '.join(arguments[end:])}")
    return options


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seq2seq",
        usage="seq2seq [-h] COMMAND ...",
        description="Train, evaluate and use a translator with attention.",
        epilog="`seq2seq COMMAND --help` describes a command.",
        formatter_class=LAYOUT,
    )
    commands = parser.add_subparsers(metavar="COMMAND, one of", prog="seq2seq", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    return parser
