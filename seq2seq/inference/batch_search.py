"""Search of many batches, with weights that are packed once."""

import logging
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch

from seq2seq.cuda_graphs import round_up
from seq2seq.data.batching import pad
from seq2seq.data.lexicon import Lexicon
from seq2seq.device import choose_search_precision, is_out_of_memory, mixed_precision
from seq2seq.errors import OutOfMemory
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.packing import pack
from seq2seq.inference.search import search
from seq2seq.inference.shortlist import search_shortlist
from seq2seq.inference.step_graphs import StepGraphs, pad_to_shape, turn
from seq2seq.inference.trace import Hypothesis
from seq2seq.model.seq2seq import Seq2Seq

log = logging.getLogger(__name__)


class SourceBatch(NamedTuple):
    source_ids: Sequence[list[int]]
    prefix_ids: Sequence[Sequence[int]]
    """What each translation begins with."""
    numbers: Sequence[int]
    """Each source's number in the input, which its random draws depend on."""


class BatchSearch:
    """Searches with one set of options, and with the models as they are now.

    Args:
        never_generated: Ids that no translation holds.
        lexicon: Where shortlists come from; None searches the whole vocabulary.
        cuda_graphs: Whether to record a search on a GPU, where that can be done, and replay it.
    """

    def __init__(
        self,
        models: Sequence[Seq2Seq],
        options: SearchOptions,
        never_generated: Sequence[int],
        lexicon: Lexicon | None,
        cuda_graphs: bool = True,
    ):
        self.options, self.never_generated, self.lexicon = options, never_generated, lexicon
        self.device = models[0].output_layer.weight.device
        self.precision = choose_search_precision(options.precision, self.device)
        with turn(self.device):
            self.models = [pack(model, self.precision) for model in models]
        recorded = cuda_graphs and self.device.type == "cuda" and lexicon is None and StepGraphs.can_record(options)
        self.graphs = StepGraphs() if recorded else None

    def padded_length(self, length: int) -> int:
        """That of a batch whose longest source has this length."""
        return length if self.graphs is None else round_up(length)

    def each(self, batches: Sequence[SourceBatch], at_once: int | None = None) -> Generator[list[list[Hypothesis]]]:
        """Hypotheses for each source of one batch after the other.

        On a CPU several batches are searched at once: a thread keeps a core busier with a batch of its own than several
        do that divide each of a step's many small operations among them.

        Args:
            at_once: How many; at most, and by default, as many as there are threads.

        Raises:
            OutOfMemory: A single sentence does not fit, beside those that are searched at once.
        """
        num_threads = torch.get_num_threads()
        at_once = min(num_threads if at_once is None else at_once, num_threads, len(batches))
        if at_once <= 1 or self.device.type != "cpu":
            yield from map(self, batches)
            return
        try:
            with ThreadPoolExecutor(at_once, "search", torch.set_num_threads, (num_threads // at_once,)) as pool:
                yield from pool.map(self, batches)
        finally:
            torch.set_num_threads(num_threads)  # in this thread it never changed, but in those that begin later

    def __call__(self, batch: SourceBatch) -> list[list[Hypothesis]]:
        """Hypotheses for each source. A batch that does not fit in memory is searched without CUDA graphs, which take
        some, then halved, again and again.

        Raises:
            OutOfMemory: A single sentence does not fit.
        """
        try:
            with turn(self.device), mixed_precision(self.device, self.precision):
                return self._search(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if self.graphs is not None:
            log.warning("out of memory: the search goes on without CUDA graphs, which is slower; lower batch_tokens")
            self.graphs = None
            return self(batch)
        count, longest = len(batch.numbers), max(map(len, batch.source_ids))
        if count == 1:
            what = f"one sentence of {longest} tokens: lower beam_size, or cut the sentence"
            raise OutOfMemory(f"out of memory on {what}")
        log.warning("out of memory on %d sentences of up to %d tokens: halved; lower batch_tokens", count, longest)
        parts = (slice(count // 2), slice(count // 2, None))
        halves = (
            self(SourceBatch(batch.source_ids[part], batch.prefix_ids[part], batch.numbers[part])) for part in parts
        )
        return [hypotheses for half in halves for hypotheses in half]

    def _search(self, batch: SourceBatch) -> list[list[Hypothesis]]:
        padded = pad(batch.source_ids) if self.graphs is None else pad_to_shape(batch.source_ids)
        source, source_mask = (tensor.to(self.device) for tensor in padded)
        given = (source, source_mask, self.options, self.never_generated)
        if self.lexicon is not None:
            return search_shortlist(self.models, self.lexicon.shortlist(source), *given, batch.prefix_ids)
        prefixes = [*batch.prefix_ids, *[()] * (len(source) - len(batch.prefix_ids))]
        return search(self.models, *given, prefixes, batch.numbers, self.graphs)[: len(batch.numbers)]
