"""Where the time of a piece of code goes: its functions under names, forward and backward, by torch's profiler."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from torch.profiler import ProfilerActivity, profile, record_function

from measuring.ratios import median_ratio
from seq2seq.config import Section

os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # else the profiler notes on stderr that it starts and stops

REST = "the rest"
MARK = "part: "
BACKWARD = "autograd::engine::evaluate_function: "

Place = tuple[Any, str, str]
"""A module or an object, the name of a function in it, and the name of the part that its time is counted to."""


class Part(Section):
    name: str
    forward: float
    """In seconds a call of what was timed, as is the next."""
    backward: float


class Times(Section):
    seconds: float
    """Of one call, without the profiler; the parts add up to it."""
    slowed: float
    """By this factor the profiler slows it down."""
    parts: list[Part]


def times(call: Callable[[], Any], places: Sequence[Place], repeats: int) -> Times:
    """Time a call, its median of so many, and find what its parts take; one call before lets memory be allocated.

    A part within another is counted to itself alone. What autograd does counts to the part whose forward pass made it
    necessary. The profiler costs time, most where operations are small; the parts are scaled to the time without it.
    """
    call()
    alone: list[float] = []
    profiled: list[float] = []
    forward: dict[str, float] = {}
    backward: dict[str, float] = {}
    for _ in range(repeats):  # in turns: a machine that slows down does so to both
        alone.append(_seconds(call))
        with labelled(places), profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler:
            profiled.append(_seconds(call))
        _add_up(profiler.events() or [], forward, backward)
    seconds = statistics.median(alone)
    scale = seconds / sum(profiled)
    names = list(dict.fromkeys(name for _, _, name in places))
    parts = [Part(name=n, forward=scale * forward.get(n, 0.0), backward=scale * backward.get(n, 0.0)) for n in names]
    rest = seconds - sum(part.forward + part.backward for part in parts)
    found = [part for part in parts if part.forward + part.backward > 0]
    slowed = median_ratio(profiled, alone)
    return Times(seconds=seconds, slowed=slowed, parts=[*found, Part(name=REST, forward=rest, backward=0.0)])


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


@contextmanager
def labelled(places: Sequence[Place]) -> Iterator[None]:
    """Within it these functions appear in a profile under their part's name."""
    with ExitStack() as patches:
        for owner, function, name in places:
            patches.enter_context(patch.object(owner, function, _recorded(getattr(owner, function), MARK + name)))
        yield


def _recorded(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        with record_function(name):
            return function(*arguments, **keywords)

    return call


def _add_up(events: Sequence[Any], forward: dict[str, float], backward: dict[str, float]) -> None:
    """Add the seconds of each part in the forward and in the backward pass."""
    part_of: dict[int, str] = {}  # by autograd's number of an operation; the last that bears it has made the node
    for event in sorted(events, key=lambda event: event.time_range.start):
        seconds = 1e-6 * event.time_range.elapsed_us()
        around = _part_around(event.cpu_parent)
        if event.name.startswith(MARK):
            name = event.name.removeprefix(MARK)
            forward[name] = forward.get(name, 0.0) + seconds
            if around is not None:
                forward[around] -= seconds
        elif event.name.startswith(BACKWARD):
            name = part_of.get(event.sequence_nr)
            if name is not None:
                backward[name] = backward.get(name, 0.0) + seconds
        elif event.sequence_nr >= 0 and event.fwd_thread in (None, 0):
            if around is None:
                part_of.pop(event.sequence_nr, None)
            else:
                part_of[event.sequence_nr] = around


def _part_around(event: Any) -> str | None:
    while event is not None:
        if event.name.startswith(MARK):
            return event.name.removeprefix(MARK)
        event = event.cpu_parent
    return None
