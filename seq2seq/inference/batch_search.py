"""Search, batch after batch, with weights that are packed once."""

import logging
from collections.abc import Sequence

import torch

from seq2seq.data.batching import pad
from seq2seq.data.lexicon import Lexicon
from seq2seq.device import is_out_of_memory, mixed_precision
from seq2seq.errors import OutOfMemory
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.packing import pack
from seq2seq.inference.search import search
from seq2seq.inference.shortlist import search_shortlist
from seq2seq.inference.trace import Hypothesis
from seq2seq.model.seq2seq import Seq2Seq

log = logging.getLogger(__name__)


class BatchSearch:
    """Searches with one set of options, and with the models as they are now.

    Args:
        never_generated: Ids that no translation holds.
        lexicon: Where shortlists come from; None searches the whole vocabulary.
    """

    def __init__(
        self,
        models: Sequence[Seq2Seq],
        options: SearchOptions,
        never_generated: Sequence[int],
        lexicon: Lexicon | None,
    ):
        self.options, self.never_generated, self.lexicon = options, never_generated, lexicon
        self.precision = getattr(torch, options.precision)
        self.models = [pack(model, self.precision) for model in models]
        self.device = models[0].output_layer.weight.device

    def __call__(
        self, source_ids: Sequence[list[int]], prefix_ids: Sequence[list[int]], numbers: Sequence[int]
    ) -> list[list[Hypothesis]]:
        """Hypotheses for each source. A batch that does not fit in memory is halved, again and again.

        Args:
            prefix_ids: What each translation begins with.
            numbers: Each source's number in the input, which its random draws depend on.

        Raises:
            OutOfMemory: A single sentence does not fit.
        """
        try:
            source, source_mask = (tensor.to(self.device) for tensor in pad(source_ids))
            given = (source, source_mask, self.options, self.never_generated, prefix_ids)
            with mixed_precision(self.device, self.precision):
                if self.lexicon is not None:
                    return search_shortlist(self.models, self.lexicon.shortlist(source), *given)
                return search(self.models, *given, numbers)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        count, longest = len(source_ids), max(map(len, source_ids))
        if count == 1:
            what = f"one sentence of {longest} tokens: lower beam_size, or cut the sentence"
            raise OutOfMemory(f"out of memory on {what}")
        log.warning("out of memory on %d sentences of up to %d tokens: halved; lower batch_tokens", count, longest)
        parts = (slice(count // 2), slice(count // 2, None))
        halves = (self(source_ids[part], prefix_ids[part], numbers[part]) for part in parts)
        return [hypotheses for half in halves for hypotheses in half]
