"""A search on a GPU as CUDA graphs: one for each shape of source, and one for each shape of beam, of a step."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from seq2seq.cuda_graphs import CannotRecord, Graph, Graphs, record, round_up
from seq2seq.data.batching import pad
from seq2seq.data.tokenizer import PAD
from seq2seq.inference.beam import Beam, Grown, keep
from seq2seq.inference.ensemble import Reading
from seq2seq.inference.options import SearchOptions

log = logging.getLogger(__name__)

Grow = Callable[[Beam, int | Tensor], Grown]
"""From a beam and the length that its hypotheses will have to what a step finds."""
_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def turn(device: torch.device) -> Iterator[None]:
    """Hold a GPU alone: a graph cannot be recorded while another thread is at work on it."""
    if device.type != "cuda":
        yield
        return
    with _ONE_AT_A_TIME, torch.cuda.device(device):
        yield


class RecordedCall(NamedTuple):
    given: Any
    """What the graph reads, to be filled before it is replayed."""
    left: Any
    """What it leaves, until the next is replayed."""


class Stepped(NamedTuple):
    """What a step leaves, until the next."""

    grown: Grown
    beam: Beam
    """What the beam grew to, with rows for the same places."""
    rows: Int[Tensor, " R"]
    """Those that they continue."""


class StepGraphs:
    """Reads sources and grows beams. A shape that comes the second time is recorded, and replayed from then on.

    All graphs read from the same memory: there is one batch at a time.
    """

    def __init__(self) -> None:
        self._graphs: Graphs[RecordedCall] = Graphs()
        self._memory: dict[tuple[int, torch.dtype], Tensor] = {}
        self._last: tuple[Graph, RecordedCall] | None = None
        self._shapes: set[Any] = set()
        """That have come."""
        self._refused = False

    @staticmethod
    def can_record(options: SearchOptions) -> bool:
        """Random draws come from the processor, and a rule against repetition looks at ever longer hypotheses."""
        return not options.sample and options.no_repeat_ngram_size == 0

    def read(self, read_source: Callable[[Tensor, Tensor], Reading], source: Tensor, source_mask: Tensor) -> Reading:
        """What reading the source leaves, until the next source is read."""
        found = self._find(lambda given: read_source(*given), (source, source_mask))
        if found is None:
            return read_source(source, source_mask)
        graph, recorded = found
        graph.replay()
        return recorded.left

    def step(self, grow: Grow, beam: Beam, length: int) -> Stepped | None:
        """What the beam grows to; None where that is not recorded."""

        def run(given: tuple[Beam, Tensor]) -> tuple[Grown, Tensor]:
            grown = grow(*given)
            kept, rows = keep(given[0], grown, given[0].places)
            _fill(given[0], kept)
            return grown, rows

        if self._last is None or self._last[1].given[0] is not beam:
            start = torch.ones((), dtype=torch.float64, device=beam.tokens.device)
            self._last = self._find(run, (beam, start))
        if self._last is None:
            return None
        graph, ((static, at), (grown, rows)) = self._last
        at.fill_(length)
        graph.replay()
        return Stepped(grown, static, rows)

    def _find(self, run: Callable[[Any], Any], given: Any) -> tuple[Graph, RecordedCall] | None:
        """The graph of this call with what it reads filled in; None where there is none."""
        shape = tuple((tensor.shape, tensor.dtype) for tensor in _tensors(given))
        if self._refused or shape not in self._shapes:
            self._shapes.add(shape)
            return None
        try:
            found = self._graphs.find(shape, lambda pool: self._record(run, given, pool))
        except CannotRecord as error:
            log.info("search without CUDA graphs, which is slower: %s", error)
            self._refused = True
            return None
        _fill(found[1].given, given)
        return found

    def _record(self, run: Callable[[Any], Any], given: Any, pool: Any) -> tuple[Graph, RecordedCall]:
        leaves, structure = tree_flatten(given)
        static = tree_unflatten([self._place(index, leaf) for index, leaf in enumerate(leaves)], structure)
        _fill(static, given)
        device_type = _tensors(static)[0].device.type
        precision, enabled = torch.get_autocast_dtype(device_type), torch.is_autocast_enabled(device_type)
        # what autocast keeps does not outlive a batch
        with torch.autocast(device_type, precision, enabled, cache_enabled=False):
            graph, left = record(lambda: run(static), (), pool)  # what it reads is filled again
        return graph, RecordedCall(static, left)

    def _place(self, index: int, leaf: Any) -> Any:
        """Room for what is given, at an address that all tensors in its place have."""
        if not isinstance(leaf, Tensor):
            return leaf
        key, size = (index, leaf.dtype), leaf.numel()
        if key not in self._memory or self._memory[key].numel() < size:
            self._memory[key] = leaf.new_empty(size)  # graphs recorded before keep what they read from
        return self._memory[key][:size].view(leaf.shape)


def pad_to_shape(source_ids: Sequence[list[int]]) -> tuple[Int[Tensor, "B S"], Bool[Tensor, "B S"]]:
    """Sources as one tensor, and where it is real, with further sources of one padding token: so few shapes serve all
    batches."""
    more = round_up(len(source_ids)) - len(source_ids)
    source, mask = pad([*source_ids, *[[PAD]] * more])
    columns = (0, round_up(source.size(1)) - source.size(1))
    return torch.nn.functional.pad(source, columns, value=PAD), torch.nn.functional.pad(mask, columns)


def _tensors(given: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(given) if isinstance(leaf, Tensor)]


def _fill(static: Any, given: Any) -> None:
    for room, tensor in zip(_tensors(static), _tensors(given), strict=True):
        if room is not tensor:
            room.copy_(tensor)
