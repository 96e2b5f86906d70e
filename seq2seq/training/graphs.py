"""Passes over a batch as CUDA graphs, one for each shape of batch."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.cuda_graphs import CannotRecord, Graph, Graphs, record, round_up
from seq2seq.data.batching import Batch
from seq2seq.errors import ConfigError

Pass = Callable[[Batch, Tensor], Tensor]
"""From a batch and the target tokens of its whole step to its loss; adds to the gradients."""


class Shape(NamedTuple):
    """What a graph is made for; smaller batches are padded to it, so that few shapes serve all."""

    rows: int
    source_length: int
    target_length: int

    @classmethod
    def for_batch(cls, batch: Batch) -> "Shape":
        rows, source_length = batch.source.shape
        return cls(round_up(rows), round_up(source_length), round_up(batch.target_in.size(1)))


class Recorded(NamedTuple):
    batch: Batch
    """What the graph reads: to be filled before it is replayed."""
    num_tokens: Tensor
    loss: Tensor
    """What it leaves, until the next is replayed."""


class GraphedPass:
    """Calls a pass over a batch, recording it once for each shape and replaying it from then on.

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
        self.graphs: Graphs[Recorded] = Graphs()

    def __call__(self, batch: Batch, num_tokens: int) -> Tensor:
        """Raises: ConfigError: The model cannot be recorded."""
        shape = Shape.for_batch(batch)
        try:
            graph, recorded = self.graphs.find(shape, lambda pool: self._record(shape, batch, num_tokens, pool))
        except CannotRecord as error:
            raise ConfigError(
                f"training.cuda_graphs is true, but this model cannot be recorded as a CUDA graph: {error}; "
                "set training.cuda_graphs=false, or let your own parts exchange no numbers with the device (.item(), "
                "nonzero, torch.tensor(..., device=...))"
            ) from error
        fill(recorded.batch, batch)
        recorded.num_tokens.fill_(num_tokens)
        graph.replay()
        return recorded.loss

    def _record(self, shape: Shape, batch: Batch, num_tokens: int, pool: Any) -> tuple[Graph, Recorded]:
        wide = empty_batch(shape, batch)
        fill(wide, batch)
        count = torch.full((), num_tokens, dtype=torch.float32, device=batch.source.device)
        graph, loss = record(lambda: self.run(wide, count), self.gradients, pool)
        return graph, Recorded(wide, count, loss)


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
