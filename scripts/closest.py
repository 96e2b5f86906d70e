"""Of each sentence's n best translations, take the one closest to its reference, by sentence-level BLEU.

    seq2seq translate RUN RUN --n-best 5 --input train.en --output n_best.tsv
    python scripts/closest.py n_best.tsv train.de --output closest.de

It is text for a student to learn from: sequence-level interpolation (Kim & Rush 2016, arXiv:1606.07947, section 3.3).
Of equally close ones the first is taken. BLEU is sacreBLEU's, 13a, smoothed, over the orders that a sentence has.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sacrebleu.metrics.bleu import BLEU

from measuring.command import exit_status
from measuring.n_best import read_n_best
from seq2seq.data.lines import read_lines
from seq2seq.files import write_atomically


class Closest(NamedTuple):
    translations: list[str]
    num_first: int
    """How many stand first in their list."""


def choose(n_best: Path, references: Path) -> Closest:
    """The closest of each sentence's translations, in the order of the references.

    Raises:
        DataError: A file cannot be read, or the lists are not those of these references' sentences.
    """
    wanted = list(read_lines(references))
    lists: list[list[str]] = [[] for _ in wanted]
    for candidate in read_n_best(n_best, references):
        lists[candidate.sentence].append(candidate.text)
    metric = BLEU(effective_order=True)
    closest = [
        max(translations, key=lambda translation: metric.sentence_score(translation, [reference]).score)
        for translations, reference in zip(lists, wanted, strict=True)
    ]
    return Closest(closest, sum(given[0] == taken for given, taken in zip(lists, closest, strict=True)))


def work(options: argparse.Namespace) -> int:
    closest = choose(options.n_best, options.references)
    write_atomically(options.output, "\n".join([*closest.translations, ""]))
    count = len(closest.translations)
    print(
        f"{options.output}: {count:,} translations, {count - closest.num_first:,} of them not the first in their list"
    )
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 2 after a mistake of the user's, named in one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "n_best", metavar="N_BEST", type=Path, help="what `seq2seq translate --n-best N` wrote, without --alignment"
    )
    parser.add_argument("references", metavar="REFERENCES", type=Path, help="one a line")
    parser.add_argument("--output", metavar="FILE", type=Path, required=True, help="the translations, one a line")
    options = parser.parse_args(arguments)
    return exit_status("closest", lambda: work(options), options.output, "nothing was written")


if __name__ == "__main__":
    sys.exit(main())
