"""Subword regularization: sentences cut into other pieces each time they are trained on."""

import math
import random
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from seq2seq.data.tokenized import Pairs
from seq2seq.data.tokenizer import WORD_START, Tokenizer

REMEMBERED = 50_000
"""Words whose choices are kept, some 3 KB each."""
LONGEST_REMEMBERED = 16
"""Pieces of such a word: longer ones hardly come again, and in text without spaces a sentence is a word."""

Choices = list[tuple[list[float], list[tuple[int, int]]]]
"""For each place in a word, the pieces that it can go on with: the sums of their probabilities, less the last, which is
1; and of each its id and its length."""


class SubwordSampler:
    """Sentence pairs to the same text in pieces drawn at random (Kudo 2018, arXiv:1804.10959, section 3.2).

    Args:
        alpha: The sharpness of `Segmenter`.
        max_length: A side that came out with more pieces stays as it was.
    """

    def __init__(self, tokenizer: Tokenizer, alpha: float, max_length: int):
        source_pieces = tokenizer.source_pieces(range(tokenizer.source_size))
        self._source = Segmenter(source_pieces, tokenizer.source_log_probs, alpha)
        if tokenizer.joint:
            self._target = self._source
        else:
            target_pieces = tokenizer.target_pieces(range(tokenizer.target_size))
            self._target = Segmenter(target_pieces, tokenizer.target_log_probs, alpha)
        self._max_length = max_length

    def __call__(self, pairs: Pairs, seed: Sequence[int]) -> Pairs:
        """A pure function of its arguments."""
        draw = random.Random("/".join(map(str, seed))).random
        sources = [self._within(ids, self._source.sample(ids, draw)) for ids in pairs.sources]
        targets = [self._within(ids, self._target.sample(ids, draw)) for ids in pairs.targets]
        return Pairs(sources, targets)

    def _within(self, ids: list[int], sampled: list[int]) -> list[int]:
        return sampled if len(sampled) <= self._max_length else ids


class Segmenter:
    """Draws a segmentation x of a text, given in one of them, with P(x) proportional to p(x) ** alpha.

    p(x) is the product of its pieces' probabilities in the unigram model, and no piece reaches over the start of a
    word. So words are drawn each for itself, and within a word piece after piece: a piece at a place in proportion to
    the sum of p ** alpha over all segmentations of the rest that begin with it. These sums come of one pass from the
    word's end to its start. That is Kudo's forward filtering and backward sampling, read from the other end: exact over
    all segmentations. (Sentencepiece's own sampling needs the text, and a generator that all its users share.)

    Bytes and the unknown symbol stay as they are: they stand for characters that no piece spells.

    Args:
        pieces: The vocabulary.
        log_probs: Of its pieces; None for those that no text is cut into.
        alpha: 0 draws all segmentations alike, 1 as the model thinks, and a large number the most probable.
    """

    def __init__(self, pieces: Sequence[str], log_probs: Sequence[float | None], alpha: float):
        self._pieces = pieces
        self._weights = {
            piece: ((index, len(piece)), alpha * log_prob)
            for index, (piece, log_prob) in enumerate(zip(pieces, log_probs, strict=True))
            if log_prob is not None
        }
        self._longest = max(map(len, self._weights), default=0)
        self._is_fixed = [log_prob is None for log_prob in log_probs]
        self._is_start = [
            fixed or piece.startswith(WORD_START) for piece, fixed in zip(pieces, self._is_fixed, strict=True)
        ]
        self._remembered = lru_cache(REMEMBERED)(self._choices)

    def sample(self, ids: Sequence[int], draw: Callable[[], float]) -> list[int]:
        """One segmentation of the text that these ids spell.

        Args:
            draw: Gives a number of [0, 1) at each call.
        """
        sampled = []
        for word in self._words(ids):
            choices = self._remembered(word) if len(word) <= LONGEST_REMEMBERED else self._choices(word)
            place = 0
            while place < len(choices):
                bounds, options = choices[place]
                index, length = options[bisect(bounds, draw())]
                sampled.append(index)
                place += length
        return sampled

    def _words(self, ids: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """The stretches that are cut each for itself; a fixed piece is one."""
        start = 0
        for place in range(1, len(ids)):
            if self._is_start[ids[place]] or self._is_fixed[ids[place - 1]]:
                yield tuple(ids[start:place])
                start = place
        yield tuple(ids[start:])

    def _choices(self, word: tuple[int, ...]) -> Choices:
        if len(word) == 1 and self._is_fixed[word[0]]:
            return [([], [(word[0], 1)])]
        text = "".join(self._pieces[index] for index in word)
        choices: Choices = [([], [])] * len(text)
        rest = [-math.inf] * len(text) + [0.0]  # log of the sum over all segmentations of what follows a place
        for start in reversed(range(len(text))):
            options, weights = [], []
            for end in range(start + 1, min(start + self._longest, len(text)) + 1):
                piece, weight = self._weights.get(text[start:end], (None, -math.inf))
                if weight + rest[end] > -math.inf:
                    options.append(piece)
                    weights.append(weight + rest[end])
            if options:
                largest = max(weights)
                rest[start] = largest + math.log(sum(math.exp(weight - largest) for weight in weights))
                bounds = accumulate(math.exp(weight - rest[start]) for weight in weights[:-1])
                choices[start] = (list(bounds), options)
        return choices
