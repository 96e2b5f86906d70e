"""Lines from a file, a pipe or a keyboard, in chunks, in flat memory; and notes on what was not as it should be."""

import select
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator
from io import BufferedIOBase

LONGEST_LINE = 2**20
"""Bytes of a line that are read; the rest is left out."""
CHUNK_LINES, CHUNK_BYTES = 1024, 2**22
"""A chunk is full when it has so much."""
BYTES_AT_ONCE = 2**16
MAX_NOTES = 10


class Notes:
    """A line on stderr for each line of the input that was changed: for the first ones, then their number."""

    def __init__(self, name: str):
        self._name, self._count = name, 0

    def add(self, line: int, what: str) -> None:
        self._count += 1
        if self._count <= MAX_NOTES:
            print(f"seq2seq: {self._name}: line {line}: {what}", file=sys.stderr)

    def finish(self) -> None:
        if self._count > MAX_NOTES:
            print(f"seq2seq: {self._name}: {self._count - MAX_NOTES:,} more such notes left out", file=sys.stderr)


def read_chunks(stream: BufferedIOBase, notes: Notes) -> Iterator[list[str]]:
    """Lines end at \\n or \\r\\n and nowhere else. A chunk is full, or what a pipe or a keyboard has given so far."""
    number, size, pending = 0, 0, b""
    chunk: list[str] = []
    while data := stream.read1(BYTES_AT_ONCE):
        *lines, pending = (pending + data).split(b"\n")
        pending = pending[: LONGEST_LINE + 1]  # one more, to know of it when its end comes
        for line in lines:
            number += 1
            chunk.append(_decode(line.removesuffix(b"\r"), number, notes))
            size += len(line)
            if len(chunk) >= CHUNK_LINES or size >= CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
        if chunk and not _more_waits(stream):
            yield chunk
            chunk, size = [], 0
    if pending:
        chunk.append(_decode(pending.removesuffix(b"\r"), number + 1, notes))
    if chunk:
        yield chunk


def _decode(line: bytes, number: int, notes: Notes) -> str:
    is_cut = len(line) > LONGEST_LINE
    if is_cut:
        notes.add(number, f"longer than {LONGEST_LINE:,} bytes: the rest was not read")
        line = line[:LONGEST_LINE]
    decoder = getincrementaldecoder("utf-8")
    try:
        return decoder().decode(line, final=not is_cut)  # a character cut in two is left out
    except UnicodeDecodeError as error:
        notes.add(number, f"not UTF-8 from its byte {error.start + 1} on, 0x{line[error.start]:02x}: replaced")
        return decoder("replace").decode(line, final=not is_cut)


def _more_waits(stream: BufferedIOBase) -> bool:
    """Whether a read would return at once, be it with the end."""
    try:
        return bool(select.select([stream.fileno()], [], [], 0)[0])
    except (AttributeError, OSError):  # in memory: no descriptor
        return True
