"""The processes that train one model together: one, or as many as `accelerate launch` or torchrun has started."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from seq2seq.device import choose_device
from seq2seq.errors import UserError

T = TypeVar("T")
LONGEST_WAIT = timedelta(hours=1)
"""For a process that is alive but late, as while the first one learns the vocabulary."""


class ProcessLost(UserError):
    """Another of the processes that train together has ended."""


def is_main_process() -> bool:
    """Whether this process is the one that writes the run folder; known before the processes have met."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0"


class Processes:
    """This process among those that train together, and what they do in common; alone, nothing costs anything.

    Raises:
        ConfigError: The device is asked for by name and is not there.
    """

    def __init__(self, device: str):
        from accelerate import Accelerator, InitProcessGroupKwargs

        alone = choose_device(device)
        accelerator = Accelerator(
            cpu=alone.type == "cpu", kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)]
        )
        self.count, self.rank = accelerator.num_processes, accelerator.process_index
        self.device = alone if self.count == 1 else accelerator.device
        self._accelerator = accelerator

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def wait(self) -> None:
        """Until all have come here."""
        self._together(self._accelerator.wait_for_everyone)

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """What is within is done by the first process, then by the others, which find what it left."""
        if not self.is_main:
            self.wait()
        yield
        if self.is_main:
            self.wait()

    def sum(self, tensor: Tensor) -> Tensor:
        """Over all processes."""
        if self.count == 1:
            return tensor
        return self._together(lambda: self._accelerator.reduce(tensor, reduction="sum"))  # pyright: ignore[reportReturnType]

    def sum_gradients(self, parameters: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Replace each gradient by its sum over all processes, in one exchange; returns the sum of the losses."""
        if self.count == 1:
            return loss
        parameters = list(parameters)
        for parameter in parameters:
            if parameter.grad is None:  # this process had no share of the batch
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        total = self.sum(torch.cat([loss.reshape(1), *(gradient.flatten() for gradient in gradients)]))
        for gradient, part in zip(gradients, total[1:].split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))
        return total[0]

    def gather(self, thing: T) -> list[T]:
        """What each process has, by rank."""
        if self.count == 1:
            return [thing]
        from accelerate.utils import gather_object

        return self._together(lambda: gather_object([thing]))

    def largest(self, number: int) -> int:
        return number if self.count == 1 else max(self.gather(number))

    def end(self) -> None:
        if self.count > 1:
            self._accelerator.end_training()

    def _together(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except RuntimeError as error:  # of the library that exchanges tensors: the connection is closed
            raise ProcessLost(
                f"process {self.rank} of {self.count} lost another, whose own message says why; "
                f"continue with --resume ({' '.join(str(error).split())[:120]})"
            ) from error
