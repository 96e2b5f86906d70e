"""Choose among each sentence's n best translations by what other models think of them.

    seq2seq translate RUN --beam-size 10 --n-best 10 --scores --input val.en --output val.tsv
    python scripts/rerank.py val.tsv val.en --reversed OTHER --references val.de
    seq2seq translate RUN --beam-size 10 --n-best 10 --scores --input test.en --output test.tsv
    python scripts/rerank.py test.tsv test.en --reversed OTHER --weights 0.6 --output test.out.de

Each sentence gets that translation which has the highest score in its list + sum over the other models of weight x
log-probability a token. They may have vocabularies of their own. One that learned from reversed targets, the last word
first, knows what comes after a word (Sennrich et al. 2016, arXiv:1606.02891); one that translates back, whether all of
the source is in the translation (Yee et al. 2019, arXiv:1908.05731). With references the weights are sought that give
the best BLEU, one after the other, from 0 to 2 in tenths, until none is better.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from sacrebleu.metrics.bleu import BLEU
from tqdm import tqdm

from measuring.command import exit_status
from measuring.n_best import Candidate, read_n_best
from seq2seq.cli.arguments import add_device, add_precision
from seq2seq.data.corpus import read_aligned
from seq2seq.data.lines import read_lines
from seq2seq.errors import DataError, UserError
from seq2seq.files import require_writable, write_atomically
from seq2seq.inference.options import SearchChanges
from seq2seq.inference.translator import Translator

WEIGHTS = [tenths / 10 for tenths in range(21)]
CHUNK = 1024
"""Translations that are scored at a time."""

Way = Literal["forward", "reversed", "back"]
WAYS: dict[Way, str] = {
    "forward": "it translates as the one that made the list",
    "reversed": "it translates to sentences with their words in reverse order",
    "back": "it translates from the target to the source language",
}


class Model(NamedTuple):
    way: Way
    run: Path


def score(
    model: Model,
    translator: Translator,
    sources: Sequence[str],
    candidates: Sequence[Candidate],
    changes: SearchChanges,
) -> list[float]:
    """Each candidate's log-probability a token by this model."""
    pairs = [(sources[candidate.sentence], candidate.text) for candidate in candidates]
    if model.way == "reversed":
        pairs = [(source, " ".join(reversed(text.split()))) for source, text in pairs]
    elif model.way == "back":
        pairs = [(text, source) for source, text in pairs]
    scores: list[float] = []
    for start in tqdm(range(0, len(pairs), CHUNK), desc=str(model.run), disable=not sys.stderr.isatty()):
        chunk = pairs[start : start + CHUNK]
        results = translator.align([source for source, _ in chunk], [target for _, target in chunk], **changes)
        scores += [result.log_prob / max(len(result.tokens), 1) for result in results]
    return scores


def choose(candidates: Sequence[Candidate], scores: Sequence[Sequence[float]], weights: Sequence[float]) -> list[str]:
    """Each sentence's best; of equally good ones the first."""
    counted = [pair for pair in zip(weights, scores, strict=True) if pair[0] > 0]  # 0 x inf is no number
    best: dict[int, tuple[float, str]] = {}
    for line, candidate in enumerate(candidates):
        assert candidate.score is not None
        total = candidate.score + sum(weight * of_model[line] for weight, of_model in counted)
        if candidate.sentence not in best or total > best[candidate.sentence][0]:
            best[candidate.sentence] = (total, candidate.text)
    return [best[sentence][1] for sentence in range(len(best))]


def tune(
    candidates: Sequence[Candidate], scores: Sequence[Sequence[float]], references: Sequence[str]
) -> tuple[list[float], float]:
    """Weights by coordinate ascent from zero, and their BLEU."""
    metric = BLEU()

    def bleu(weights: Sequence[float]) -> float:
        return metric.corpus_score(choose(candidates, scores, weights), [references]).score

    best = [0.0] * len(scores)
    highest, before = bleu(best), None
    while best != before:
        before = best
        for index in range(len(scores)):
            for weight in WEIGHTS:
                tried = [*best[:index], weight, *best[index + 1 :]]
                if (reached := bleu(tried)) > highest:
                    best, highest = tried, reached
    return best, highest


def work(options: argparse.Namespace) -> int:
    if options.output is not None:
        read = [options.n_best, options.sources, options.references]
        require_writable(options.output, [path for path in read if path is not None])
    if options.weights is not None and len(options.weights) != len(options.models):
        raise UserError(f"{len(options.weights)} weights for {len(options.models)} models: give one for each")
    sources, references = list(read_lines(options.sources)), None
    if options.references is not None:
        references = [reference for _, reference in read_aligned(options.sources, options.references)]
    candidates = read_n_best(options.n_best, options.sources)
    if any(candidate.score is None for candidate in candidates):
        raise DataError(
            f"{options.n_best}: its lines have no scores; seq2seq translate --n-best N --scores writes them"
        )
    translators = [Translator.load(model.run, options.device) for model in options.models]
    changes: SearchChanges = {} if options.precision is None else {"precision": options.precision}
    scores = [
        score(model, translator, sources, candidates, changes)
        for model, translator in zip(options.models, translators, strict=True)
    ]
    weights: list[float] = options.weights or []
    if references is not None:
        weights, reached = tune(candidates, scores, references)
        first = BLEU().corpus_score(choose(candidates, [], []), [references]).score
        print(f"--weights {' '.join(f'{weight:g}' for weight in weights)}: {reached:.2f} BLEU, {first:.2f} without")
    if options.output is not None:
        write_atomically(options.output, "".join(f"{text}\n" for text in choose(candidates, scores, weights)))
    return 0


def weight(text: str) -> float:
    try:
        if 0 <= (value := float(text)) < math.inf:
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 2 after a mistake of the user's, named in one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n_best", metavar="N_BEST", type=Path, help="what seq2seq translate --n-best N --scores wrote")
    parser.add_argument("sources", metavar="SOURCES", type=Path, help="what it translated, one sentence a line")
    models = parser.add_argument_group("other models, one or more, each a run folder, an exported one, or owner/name")
    for way, about in WAYS.items():
        kind = partial(_model, way)
        models.add_argument(f"--{way}", metavar="RUN", dest="models", action="append", type=kind, help=about)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--references", metavar="FILE", type=Path, help="seek the weights that are best for these")
    how.add_argument("--weights", metavar="W", type=weight, nargs="+", help="one for each model, in their order")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write the chosen translations there, one a line")
    add_precision(parser)
    add_device(parser)
    options = parser.parse_args(arguments)
    if not options.models:
        parser.error("name another model: --forward, --reversed or --back RUN")
    return exit_status("rerank", lambda: work(options), options.output or options.n_best, "nothing was written")


def _model(way: Way, run: str) -> Model:
    return Model(way, Path(run))


if __name__ == "__main__":
    sys.exit(main())
