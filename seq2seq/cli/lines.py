"""Lines from a file, a pipe or a keyboard, in chunks, in flat memory; and notes on what was not as it should be."""

import select
from codecs import getincrementaldecoder
from collections.abc import Iterator
from io import BufferedIOBase

from seq2seq.cli.messages import tell
from seq2seq.data.lines import MARK
from seq2seq.errors import DataError

LONGEST_LINE = 2**20
"""Bytes of a line that are read; the rest is left out."""
CHUNK_LINES, CHUNK_BYTES = 1024, 2**22
"""A chunk is full when it has so much."""
BYTES_AT_ONCE = 2**16
MAX_NOTES = 10


class Notes:
    """A line on stderr for each line of the input that was changed: for the first ones, then their number."""

    def __init__(self, name: str):
        self.name, self._count = name, 0

    def add(self, line: int, what: str) -> None:
        self._count += 1
        if self._count <= MAX_NOTES:
            tell(f"{self.name}: line {line}: {what}")

    def finish(self) -> None:
        if self._count > MAX_NOTES:
            tell(f"{self.name}: {self._count - MAX_NOTES:,} more such notes left out")


def read_chunks(stream: BufferedIOBase, notes: Notes) -> Iterator[list[str]]:
    """Lines end at \\n or \\r\\n and nowhere else. A chunk is full, or what a pipe or a keyboard has given so far.

    Raises:
        DataError: The stream cannot be read, or begins as packed or UTF-16 text does.
    """
    number, size, pending = 0, 0, b""
    chunk: list[str] = []
    while data := _read(stream, notes.name):
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


def _read(stream: BufferedIOBase, name: str) -> bytes:
    try:
        return stream.read1(BYTES_AT_ONCE)
    except OSError as error:
        raise DataError(f"{name}: cannot read it: {error.strerror}") from error


def _decode(line: bytes, number: int, notes: Notes) -> str:
    if number == 1:
        if line.startswith(b"\x1f\x8b"):
            raise DataError(f"{notes.name} is gzipped: unpack it first, as with zcat")
        if line.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"{notes.name} is UTF-16 text; expected UTF-8 (convert it with iconv)")
        line = line.removeprefix(MARK)
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
