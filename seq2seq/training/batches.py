"""The batches of a run, epoch after epoch without end, from where it stands; what a resumed run takes is what it would
have taken."""

from collections.abc import Iterator

import numpy as np

from seq2seq.data.batching import even_batches, length_batches
from seq2seq.data.segmentation import SubwordSampler
from seq2seq.data.tokenized import Pairs, StoredPairs
from seq2seq.training.state import Progress
from seq2seq.training.streaming import PairStream

POOL = 50
"""Batches whose pairs are cut into other pieces together, and put into as many batches by their new lengths."""


class StoredBatches:
    """Batches over a whole corpus, in an order that (seed, epoch) decides."""

    def __init__(self, pairs: StoredPairs, batch_tokens: int, seed: int, sampler: SubwordSampler | None = None):
        self._pairs, self._batch_tokens, self._seed, self._sampler = pairs, batch_tokens, seed, sampler
        self._lengths = pairs.lengths
        self.per_epoch = len(self._order(epoch=0))

    def after(self, progress: Progress) -> Iterator[Pairs]:
        """The batches that come after those that `progress` counts; each is counted there when it is taken."""
        while True:
            order, seed = self._order(progress.epoch), (self._seed, progress.epoch)
            for batch in batches_from(progress.batches_done, self._pairs, order, seed, self._sampler):
                progress.batches_done += 1
                yield batch
            progress.epoch, progress.batches_done = progress.epoch + 1, 0

    def _order(self, epoch: int) -> list:
        return length_batches(*self._lengths, self._batch_tokens, (self._seed, epoch))


class StreamedBatches:
    """Batches within one buffer after the other, in an order that (seed, epoch, where the buffer begins) decides."""

    per_epoch = None

    def __init__(self, stream: PairStream, batch_tokens: int, seed: int, sampler: SubwordSampler | None = None):
        self._stream, self._batch_tokens, self._seed, self._sampler = stream, batch_tokens, seed, sampler

    def after(self, progress: Progress) -> Iterator[Pairs]:
        """The batches that come after those that `progress` counts; each is counted there when it is taken."""
        while True:
            for buffer in self._stream.buffers(progress.rows_before, progress.sha256_before):
                if buffer.rows_before != progress.rows_before:
                    progress.batches_done = 0
                progress.rows_before, progress.sha256_before = buffer.rows_before, buffer.sha256_before
                seed = (self._seed, progress.epoch, buffer.rows_before)
                order = length_batches(*buffer.pairs.lengths, self._batch_tokens, seed)
                for batch in batches_from(progress.batches_done, buffer.pairs, order, seed, self._sampler):
                    progress.batches_done += 1
                    yield batch
            progress.epoch, progress.batches_done, progress.rows_before, progress.sha256_before = (
                progress.epoch + 1,
                0,
                0,
                "",
            )


def batches_from(
    start: int, pairs: StoredPairs, order: list[np.ndarray], seed: tuple[int, ...], sampler: SubwordSampler | None
) -> Iterator[Pairs]:
    """The batches of an order from a number on.

    With a sampler they are as many, but each `POOL` of them share their pairs out anew: segmentations drawn at random
    differ in length, and padded where they are, they would cost more in padding than in pieces.
    """
    if sampler is None:
        for indices in order[start:]:
            yield pairs.select(indices)
        return
    for first in range(start - start % POOL, len(order), POOL):
        pool = order[first : first + POOL]
        sampled = sampler(pairs.select(np.concatenate(pool)), (*seed, first))
        for indices in even_batches(*sampled.lengths, len(pool), (*seed, first))[max(0, start - first) :]:
            yield sampled.select(indices)
