"""Where a run's log goes: always to its file, and to the terminal where there is one."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from seq2seq.errors import TrainingStopped, UserError


class _TerminalHandler(logging.Handler):
    """Writes above the progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


class _FileHandler(logging.FileHandler):
    """Raises what logging's own would print: a full disk stops the training with one line."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise  # what logging has caught when it calls this


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Send the package's log to a file, with times, and to stderr if that is a terminal."""
    logger = logging.getLogger("seq2seq")
    to_file = _FileHandler(path, encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    handlers: list[logging.Handler] = [to_file]
    if sys.stderr.isatty():
        handlers.append(_TerminalHandler())
    level = logger.level
    logger.setLevel(logging.INFO)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    except (UserError, TrainingStopped) as error:  # the command prints it, the file is to have it too
        with suppress(OSError):
            to_file.handle(logging.makeLogRecord({"msg": "ended: %s", "args": (error,)}))
        raise
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            with suppress(OSError):  # of a full disk, which has been told
                handler.close()
        logger.setLevel(level)
