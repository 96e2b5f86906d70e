"""Passes over a batch as CUDA graphs. A recurrent model launches thousands of small kernels a batch, and the processor
takes longer to launch them than the GPU to compute; a graph of them is one launch."""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.data.batching import Batch
from seq2seq.errors import ConfigError

Pass = Callable[[Batch, Tensor], Tensor]
"""From a batch and the target tokens of its whole step to its loss; adds to the gradients."""
MAX_GRAPHS = 256
"""Beyond so many shapes of batches the graph unused for longest is dropped, and recorded anew when it is needed."""


class Shape(NamedTuple):
    """What a graph is made for; smaller batches are padded to it, so that few shapes serve all."""

    rows: int
    source_length: int
    target_length: int

    @classmethod
    def for_batch(cls, batch: Batch) -> "Shape":
        rows, source_length = batch.source.shape
        return cls(_round_up(rows), _round_up(source_length), _round_up(batch.target_in.size(1)))


class Recorded(NamedTuple):
    batch: Batch
    """What the graph reads: to be filled before it is replayed."""
    num_tokens: Tensor
    graph: torch.cuda.CUDAGraph
    loss: Tensor
    """What it leaves, until the next is replayed."""


class GraphedPass:
    """Calls a pass over a batch, recording it once for each shape and replaying it from then on.

    A replay repeats what was launched on the device, not the Python that launched it.

    Args:
        run: Waits for nothing on the device, and takes a padding target token for none.
        parameters: Those that get gradients. Each keeps one tensor for it, to which all graphs add.
    """

    def __init__(self, run: Pass, parameters: Iterable[nn.Parameter]):
        self.run = run
        self.gradients: list[Tensor] = []
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
            self.gradients.append(parameter.grad)
        self.graphs: OrderedDict[Shape, Recorded] = OrderedDict()
        self.pool: Any = None  # of memory, which the graphs share: only one is replayed at a time

    def __call__(self, batch: Batch, num_tokens: int) -> Tensor:
        """Raises: ConfigError: The model cannot be recorded."""
        shape = Shape.for_batch(batch)
        if shape not in self.graphs:
            if len(self.graphs) == MAX_GRAPHS:
                self.graphs.popitem(last=False)
            self.graphs[shape] = self._record(shape, batch, num_tokens)
        self.graphs.move_to_end(shape)
        recorded = self.graphs[shape]
        fill(recorded.batch, batch)
        recorded.num_tokens.fill_(num_tokens)
        recorded.graph.replay()
        return recorded.loss

    def _record(self, shape: Shape, batch: Batch, num_tokens: int) -> Recorded:
        wide = empty_batch(shape, batch)
        fill(wide, batch)
        count = torch.full((), num_tokens, dtype=torch.float32, device=batch.source.device)
        try:
            loss, graph = record(lambda: self.run(wide, count), self.gradients, self.pool)
        except RuntimeError as error:
            if not any(word in str(error) for word in ("synchroniz", "captur")):
                raise
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(
                f"training.cuda_graphs is true, but this model cannot be recorded as a CUDA graph: {reason}; "
                "set training.cuda_graphs=false, or let your own parts exchange no numbers with the device (.item(), "
                "nonzero, torch.tensor(..., device=...))"
            ) from error
        self.pool = graph.pool()
        return Recorded(wide, count, graph, loss)


def record(run: Callable[[], Tensor], gradients: Sequence[Tensor], pool: Any) -> tuple[Tensor, torch.cuda.CUDAGraph]:
    """The loss that each replay of the graph will leave, and the graph; the gradients and random states stay."""
    before, random = [gradient.clone() for gradient in gradients], torch.cuda.get_rng_state()
    with no_waiting():
        run()  # as it is: libraries set themselves up at their first call
    for gradient, kept in zip(gradients, before, strict=True):
        gradient.copy_(kept)
    torch.cuda.set_rng_state(random)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        loss = run()
    return loss, graph


def empty_batch(shape: Shape, like: Batch) -> Batch:
    lengths = (shape.source_length,) * 2 + (shape.target_length,) * 3
    return Batch(*(part.new_zeros(shape.rows, length) for part, length in zip(like, lengths, strict=True)))


def fill(wide: Batch, batch: Batch) -> None:
    """Copy a batch into a wider one. Rows beyond it have a source of one padding token, as attention to nothing would
    not be a number, and an empty target."""
    for all_of_it, part in zip(wide, batch, strict=True):
        all_of_it.zero_()
        all_of_it[: part.size(0), : part.size(1)] = part
    wide.source_mask[batch.source.size(0) :, 0] = True


@contextmanager
def no_waiting() -> Iterator[None]:
    """Where the processor would wait for the device, it is an error: a graph cannot hold that."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(action="ignore"):  # torch says that this mode is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def _round_up(size: int) -> int:
    """To a multiple of 4; from 64 on, to one that adds less than an eighth."""
    unit = 4
    while size >= 16 * unit:
        unit *= 2
    return -(-size // unit) * unit
