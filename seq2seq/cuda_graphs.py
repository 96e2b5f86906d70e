"""CUDA graphs: what a recurrent model does in thousands of small kernels, recorded once and launched as one.

The processor takes longer to launch such kernels than the GPU to compute them. A replay repeats what was launched on
the device, with the same memory, and not the Python that launched it.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

Result = TypeVar("Result")
MAX_GRAPHS = 256
"""Beyond so many shapes the graph unused for longest is dropped, and recorded anew when it is needed."""


@runtime_checkable
class Graph(Protocol):
    """What of `torch.cuda.CUDAGraph` is used here."""

    def replay(self) -> None: ...
    def pool(self) -> Any: ...


class CannotRecord(Exception):
    """What was to be recorded waits for the device; the message says how."""


class Graphs(Generic[Result]):
    """Graphs by the shape of what they read, each with what it leaves until the next is replayed.

    They share memory, as only one is replayed at a time.
    """

    def __init__(self) -> None:
        self._made: OrderedDict[Hashable, tuple[Graph, Result]] = OrderedDict()
        self._pool: Any = None  # of memory

    def find(self, shape: Hashable, make: Callable[[Any], tuple[Graph, Result]]) -> tuple[Graph, Result]:
        """The one of this shape; if there is none, `make` records it, given a pool of memory.

        Raises:
            CannotRecord: In recording, the processor waits for the device, which a graph cannot hold.
        """
        if shape not in self._made:
            if len(self._made) == MAX_GRAPHS:
                self._made.popitem(last=False)
            try:
                self._made[shape] = make(self._pool)
            except RuntimeError as error:
                if not any(word in str(error) for word in ("synchroniz", "captur")):
                    raise
                raise CannotRecord(str(error).strip().splitlines()[0]) from error
            self._pool = self._made[shape][0].pool()
        self._made.move_to_end(shape)
        return self._made[shape]


def record(run: Callable[[], Result], changed: Sequence[Tensor], pool: Any) -> tuple[Graph, Result]:
    """The graph of what a call launches, and what the call returned, which each replay fills anew.

    Args:
        changed: What the call changes. It stays as it is, and so do the random states.
        pool: The memory of graphs that are never replayed at the same time; None for new memory.
    """
    before, random = [tensor.clone() for tensor in changed], torch.cuda.get_rng_state()
    with _no_waiting():
        run()  # as it is: libraries set themselves up at their first call
    for tensor, kept in zip(changed, before, strict=True):
        tensor.copy_(kept)
    torch.cuda.set_rng_state(random)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        result = run()
    return graph, result


def round_up(size: int) -> int:
    """To a multiple of 4; from 64 on, to one that adds less than an eighth: so few shapes serve all batches."""
    unit = 4
    while size >= 16 * unit:
        unit *= 2
    return -(-size // unit) * unit


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Where the processor would wait for the device, it is an error."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(action="ignore"):  # torch says that this mode is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
