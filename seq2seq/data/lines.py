"""Lines of text files, read one by one; a file that is not text is refused, with the place of the fault."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from seq2seq.errors import DataError

MARK = b"\xef\xbb\xbf"
"""UTF-8's byte order mark: not text where a file begins with it, text elsewhere."""


def read_lines(path: str | Path) -> Iterator[str]:
    """The lines of a UTF-8 text file, plain or gzipped, without their ``\\n`` or ``\\r\\n``; all else is kept.

    Raises:
        DataError: The file is missing, unreadable, empty, damaged, or not UTF-8 text; raised when its line is reached.
    """
    number = 0
    with _opened(path) as file:
        for number, line in enumerate(_lines(file, path), start=1):
            if number == 1:
                if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise DataError(f"{path} is UTF-16 text; expected UTF-8 (convert it with iconv)")
                if line == MARK:
                    number = 0
                    break
            if (offset := line.find(b"\0")) >= 0:
                what = "NUL byte; expected UTF-8 text, not a binary file or UTF-16"
                raise DataError(f"{path}: line {number}, byte offset {offset}: {what}")
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                what = f"byte 0x{line[error.start]:02x} is not valid UTF-8; mend it, or convert the file with iconv"
                raise DataError(f"{path}: line {number}, byte offset {error.start}: {what}") from error
            text = text.removeprefix("\ufeff") if number == 1 else text
            yield text.removesuffix("\n").removesuffix("\r")
    if number == 0:
        raise DataError(f"{path} is empty")


@contextmanager
def _opened(path: str | Path) -> Iterator[BinaryIO]:
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror}") from error
    with file:
        yield file


def _lines(file: BinaryIO, path: str | Path) -> Iterator[bytes]:
    packed = file.peek(2).startswith(b"\x1f\x8b")  # pyright: ignore[reportAttributeAccessIssue] (it is buffered)
    try:
        yield from gzip.GzipFile(fileobj=file) if packed else file
    except (OSError, EOFError, zlib.error) as error:
        if packed:
            raise DataError(f"{path}: damaged gzip file: {error}") from error
        raise DataError(f"{path}: cannot read the file: {getattr(error, 'strerror', error)}") from error
