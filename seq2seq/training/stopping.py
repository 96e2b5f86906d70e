"""Signals that ask a training to stop: it ends where it can be continued, rather than where it was hit."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
ECHO_SECONDS = 1.0
"""A second SIGINT sooner than this is the first one again: from a launcher that passes on what the terminal sent."""


class Interrupted(Exception):
    """A signal came during work that need not be finished."""


class StopSignals:
    """Remembers the first of SIGTERM, SIGINT (Ctrl-C) and SIGUSR1 while it is entered; a second SIGINT interrupts."""

    received: signal.Signals | None = None
    _since = 0.0
    _may_interrupt = False

    def __enter__(self) -> "StopSignals":
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():  # Python gives signals to no other
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def may_interrupt(self, allowed: bool = True) -> Iterator[None]:
        """Within, a signal does not wait, if that is allowed.

        Raises:
            Interrupted: A signal came, now or before.
        """
        self._may_interrupt = allowed
        try:
            if allowed and self.received:
                raise Interrupted
            yield
        finally:
            self._may_interrupt = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received == signal.SIGINT:
            if time.monotonic() - self._since > ECHO_SECONDS:
                raise KeyboardInterrupt
            return
        self.received = self.received or signal.Signals(number)
        self._since = time.monotonic()
        if self._may_interrupt:
            raise Interrupted
