"""Measure how fast this toolkit trains and translates, and in how much memory; beside a peer, if you name one.

    python scripts/benchmark.py train                       # a minute a setting and round
    python scripts/benchmark.py translate runs/multi30k
    python scripts/benchmark.py start runs/multi30k
    python scripts/benchmark.py breakdown
    python scripts/benchmark.py scaling
    python scripts/benchmark.py batches                     # for a GPU
    python scripts/benchmark.py report                      # the tables of docs/performance.md, made anew

What is compared runs in processes of its own that take turns; leave the machine alone meanwhile. What is measured is
printed as a table, and kept as JSON in the folder of results.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmark import tables
from benchmark.batches import BATCH_MODELS, BEAMS, MODELS, TRAINING_SIZES, TRANSLATION_SIZES, measure_batches
from benchmark.breakdown import measure_breakdown
from benchmark.report import write_report
from benchmark.scaling import measure_scaling
from benchmark.start import IMPORT, SENTENCE, measure_start
from benchmark.train import KEY as TRAINING_KEY
from benchmark.train import SETTINGS, measure_training
from benchmark.translate import KEY as TRANSLATION_KEY
from benchmark.translate import measure_translation
from measuring.command import exit_status
from seq2seq.cli.arguments import SEARCH_PRECISIONS, positive

PEER = """a peer:
  --peer NAME=COMMAND is run in each round in turn with ours, without a shell. The last line of its output is a
  JSON object, of which the number under --peer-key counts, and peak_mb, its peak of resident memory in MiB, if it is
  there. {placeholders} in the command are filled in: """


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, about: str, run: Callable[[argparse.Namespace], str], peer: str = "") -> Any:
        found = commands.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            epilog=PEER + peer if peer else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        found.add_argument(
            "--results", metavar="DIR", type=Path, default=Path("runs/benchmark"), help="(default: %(default)s)"
        )
        found.set_defaults(run=run)
        return found

    train = command(
        "train",
        "target tokens per second of training, and peak memory",
        _train,
        "{attention} (bahdanau, luong),\n  {cell} (gru, lstm), {threads}.",
    )
    train.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="settings that replace those of the config")
    _add_model(train)
    train.add_argument(
        "--settings",
        metavar="NAME",
        nargs="+",
        choices=SETTINGS,
        default=list(SETTINGS),
        help=f"models to train, of {', '.join(SETTINGS)} (default: all)",
    )
    train.add_argument(
        "--precisions", metavar="NAME", nargs="+", choices=("auto", "float32", "bfloat16"), default=["auto", "float32"],
        help="(default: auto float32)",
    )  # fmt: skip
    train.add_argument("--steps", metavar="N", type=positive, default=60, help="timed steps (default: %(default)s)")
    _add_contest(train, TRAINING_KEY)

    translate = command(
        "translate",
        "sentences per second of translating the config's test set, and peak memory",
        _translate,
        "{beam}, {threads}.",
    )
    translate.add_argument("trained", metavar="RUN", type=Path, help="a run folder")
    translate.add_argument(
        "overrides", metavar="KEY=VALUE", nargs="*", help="replaces settings, such as data.test.source"
    )
    translate.add_argument("--beams", nargs="+", metavar="K", type=positive, default=[1, 5], help="(default: 1 5)")
    translate.add_argument(
        "--precisions", metavar="NAME", nargs="+", choices=SEARCH_PRECISIONS,
        default=list(SEARCH_PRECISIONS), help="(default: all)",
    )  # fmt: skip
    translate.add_argument(
        "--shortlist", action="store_true", help="measure with a shortlist, too (first: seq2seq lexicon RUN)"
    )
    translate.add_argument(
        "--beam-threshold", metavar="NATS", type=float, help="measure with such a beam threshold, too"
    )
    _add_contest(translate, TRANSLATION_KEY)

    start = command("start", f"seconds of `{SENTENCE}` as a whole process, beside those of `{IMPORT}`", _start)
    start.add_argument("trained", metavar="RUN", type=Path, help="a run folder")
    start.add_argument(
        "sentence", metavar="SENTENCE", nargs="?", default="Two dogs play in the snow.", help="(default: %(default)s)"
    )
    _add_rounds(start)

    for name, about, run in (
        ("breakdown", "the cost of one training step and one beam step by part, on random ids", _breakdown),
        ("scaling", "the speed of training over batch, length, vocabulary and hidden size, on random ids", _scaling),
    ):
        found = command(name, about, run)
        found.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="replaces settings of the config")
        _add_model(found)
        found.add_argument(
            "--setting", metavar="NAME", choices=SETTINGS, default="bahdanau-gru",
            help=f"of {', '.join(SETTINGS)} (default: %(default)s)",
        )  # fmt: skip
        _add_threads(found)

    batches = command(
        "batches", "the speed of training and translation over the sentences of a batch, on random ids", _batches
    )
    batches.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="replaces settings of the config")
    _add_model(batches)
    batches.add_argument(
        "--models", metavar="NAME", nargs="+", choices=MODELS, default=list(BATCH_MODELS),
        help=f"of {', '.join(MODELS)} (default: {' '.join(BATCH_MODELS)})",
    )  # fmt: skip
    for name, sizes in (("training", TRAINING_SIZES), ("translation", TRANSLATION_SIZES), ("beams", BEAMS)):
        what = "beam sizes" if name == "beams" else f"sentences a batch in {name}"
        default = " ".join(map(str, sizes))
        batches.add_argument(
            f"--{name}", metavar="N", nargs="*", type=positive, default=sizes, help=f"{what} (default: {default})"
        )

    report = command(
        "report", "write what the folder of results has into the page's sections, and the picture", _report
    )
    report.add_argument(
        "--page", metavar="FILE", type=Path, default=Path("docs/performance.md"), help="(default: %(default)s)"
    )
    return parser.parse_args(arguments)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", default="configs/multi30k.yaml", help="(default: %(default)s)")


def _add_contest(parser: argparse.ArgumentParser, key: str) -> None:
    _add_rounds(parser)
    parser.add_argument(
        "--peer", metavar="NAME=COMMAND", action="append", default=[], help="may be given several times"
    )
    parser.add_argument("--peer-key", metavar="KEY", default=key, help="(default: %(default)s)")


def _add_rounds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", metavar="N", type=positive, default=5, help="(default: %(default)s)")
    _add_threads(parser)


def _add_threads(parser: argparse.ArgumentParser) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument(
        "--threads", metavar="N", type=positive, default=cores, help="(default: the cores, %(default)s)"
    )


def _train(options: argparse.Namespace) -> str:
    contests = measure_training(
        options.results, options.config, options.overrides, options.settings, options.precisions, options.steps,
        options.rounds, options.threads, options.peer, options.peer_key,
    )  # fmt: skip
    return tables.training_table(contests)


def _translate(options: argparse.Namespace) -> str:
    contests = measure_translation(
        options.results, options.trained, options.overrides, options.beams, options.precisions, options.shortlist,
        options.beam_threshold, options.rounds, options.threads, options.peer, options.peer_key,
    )  # fmt: skip
    return tables.translation_table(contests)


def _start(options: argparse.Namespace) -> str:
    contest = measure_start(options.results, options.trained, options.sentence, options.rounds, options.threads)
    return tables.start_table(contest)


def _breakdown(options: argparse.Namespace) -> str:
    arguments = (options.results, options.config, options.setting, options.overrides, options.threads)
    return tables.breakdown_table(measure_breakdown(*arguments))


def _scaling(options: argparse.Namespace) -> str:
    arguments = (options.results, options.config, options.setting, options.overrides, options.threads)
    return tables.scaling_table(measure_scaling(*arguments))


def _batches(options: argparse.Namespace) -> str:
    sizes = (options.training, options.translation, options.beams)
    return tables.batches_table(
        measure_batches(options.results, options.config, options.models, options.overrides, *sizes)
    )


def _report(options: argparse.Namespace) -> str:
    return "\n".join(str(path) for path in write_report(options.results, options.page))


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 2 after a mistake of the user's, named in one line."""
    options = parse(sys.argv[1:] if arguments is None else arguments)

    def work() -> int:
        print(options.run(options))
        return 0

    return exit_status("benchmark", work, options.results, "the rounds that were finished are kept")


if __name__ == "__main__":
    sys.exit(main())
