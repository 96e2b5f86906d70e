"""The batches of a run, epoch after epoch without end, from where it stands; what a resumed run takes is what it would
have taken."""

from collections.abc import Iterator

from seq2seq.data.batching import length_batches
from seq2seq.data.tokenized import Pairs, StoredPairs
from seq2seq.training.state import Progress
from seq2seq.training.streaming import PairStream


class StoredBatches:
    """Batches over a whole corpus, in an order that (seed, epoch) decides."""

    def __init__(self, pairs: StoredPairs, batch_tokens: int, seed: int):
        self._pairs, self._batch_tokens, self._seed = pairs, batch_tokens, seed
        self._lengths = pairs.lengths
        self.per_epoch = len(self._order(epoch=0))

    def after(self, progress: Progress) -> Iterator[Pairs]:
        """The batches that come after those that `progress` counts; each is counted there when it is taken."""
        while True:
            for indices in self._order(progress.epoch)[progress.batches_done :]:
                progress.batches_done += 1
                yield self._pairs.select(indices)
            progress.epoch, progress.batches_done = progress.epoch + 1, 0

    def _order(self, epoch: int) -> list:
        return length_batches(*self._lengths, self._batch_tokens, (self._seed, epoch))


class StreamedBatches:
    """Batches within one buffer after the other, in an order that (seed, epoch, where the buffer begins) decides."""

    per_epoch = None

    def __init__(self, stream: PairStream, batch_tokens: int, seed: int):
        self._stream, self._batch_tokens, self._seed = stream, batch_tokens, seed

    def after(self, progress: Progress) -> Iterator[Pairs]:
        """The batches that come after those that `progress` counts; each is counted there when it is taken."""
        while True:
            for buffer in self._stream.buffers(progress.rows_before, progress.sha256_before):
                if buffer.rows_before != progress.rows_before:
                    progress.batches_done = 0
                progress.rows_before, progress.sha256_before = buffer.rows_before, buffer.sha256_before
                seed = (self._seed, progress.epoch, buffer.rows_before)
                for indices in length_batches(*buffer.pairs.lengths, self._batch_tokens, seed)[progress.batches_done :]:
                    progress.batches_done += 1
                    yield buffer.pairs.select(indices)
            progress.epoch, progress.batches_done, progress.rows_before, progress.sha256_before = (
                progress.epoch + 1,
                0,
                0,
                "",
            )
