"""Word vectors from text files of word2vec, GloVe and fastText, for the pieces of a vocabulary.

A line is a word and its numbers, separated by spaces. Word2vec and fastText write a first line with the number of words
and the width; GloVe does not, and some of its words hold spaces. Words are compared as bytes, for some are not UTF-8.
"""

import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.tokenizer import WORD_START
from seq2seq.errors import ConfigError, DataError

_NOT_FOUND = 3
"""A rank worse than all."""
_LARGEST = float(np.finfo(np.float32).max)
_NUMBER = re.compile(rb"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?|[-+]?nan|[-+]?inf(inity)?", re.IGNORECASE)


class Found(NamedTuple):
    ids: list[int]
    """The pieces that have a vector, in rising order."""
    rows: Float[Tensor, "n E"]


def require_width(path: str | Path, size: int) -> None:
    """Check, from the beginning of a file, that its vectors have `size` numbers.

    Raises:
        DataError: The file cannot be read, or is not one of word vectors.
        ConfigError: They have another number of numbers.
    """
    _open_vectors(path, size)


def read_vectors(path: str | Path, pieces: Sequence[str], size: int) -> Found:
    """Read a file for the vectors of these pieces; of a word that stands there twice, the first.

    A piece takes the vector of itself as written (`▁Dog`); else, where it starts a word, of that word (`Dog`); else of
    the word in lower case (`dog`). Of words that no piece wants, only the numbers' count is checked.

    Raises:
        DataError: The file cannot be read, a line has another number of numbers, or a wanted one's are not finite
            numbers, or no piece has a vector there.
        ConfigError: Its vectors do not have `size` numbers.
    """
    wanted = _wanted(pieces)
    rows = np.zeros((len(pieces), size), dtype=np.float32)
    ranks = [_NOT_FOUND] * len(pieces)
    for number, line in _open_vectors(path, size):
        word, _, numbers = line.partition(b" ")
        if not numbers or numbers.count(b" ") != size - 1:
            word, numbers = _split_from_right(path, number, line, size)
        better = [(rank, index) for rank, index in wanted.get(word, ()) if rank < ranks[index]]
        if better:
            row = _parse(path, number, numbers)
            for rank, index in better:
                rows[index], ranks[index] = row, rank
    ids = [index for index, rank in enumerate(ranks) if rank != _NOT_FOUND]
    if not ids:
        raise DataError(
            f"{path}: has a vector for none of the vocabulary's {len(pieces):,} pieces; is it of another language?"
        )
    return Found(ids, torch.from_numpy(rows[ids]))


def _wanted(pieces: Sequence[str]) -> dict[bytes, list[tuple[int, int]]]:
    """For each word of use, the pieces that can take its vector, each with the rank of that match, 0 the best."""
    wanted: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for index, piece in enumerate(pieces):
        word = piece.removeprefix(WORD_START)
        spellings = [piece, word, word.lower()] if word and word != piece else [piece]
        for rank, spelling in enumerate(dict.fromkeys(spellings)):
            wanted[spelling.encode()].append((rank, index))
    return dict(wanted)


def _open_vectors(path: str | Path, size: int) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of a file, less its header, after a check of the width."""
    lines = _lines(path)
    number, first = next(lines, (0, b""))
    first = first.removeprefix(b"\xef\xbb\xbf")
    if not first:
        raise DataError(f"{path} is empty")
    fields = first.split()
    is_header = len(fields) == 2 and all(field.isdigit() and len(field) < 20 for field in fields)
    if is_header:
        width = int(fields[1])
    elif len(fields) - 1 == size:
        width = size
    else:  # the words before the first number are one with spaces, unless the word itself is a number
        width = len(fields) - max(1, len(list(takewhile(lambda field: not _is_number(field), fields))))
    if width == 0 and not is_header:
        raise DataError(
            f"{path}: line {number}: expected a word and the numbers of its vector, as word2vec, GloVe and fastText "
            "write them as text"
        )
    if width != size:
        raise ConfigError(
            f"{path}: its vectors have {width} numbers, but model.embedding_size is {size}: make them equal"
        )
    return lines if is_header else chain([(number, first)], lines)


def _lines(path: str | Path) -> Iterator[tuple[int, bytes]]:
    try:
        with open(path, "rb") as file:
            start = file.peek(4)
            if start.startswith(b"PK\x03\x04"):
                raise DataError(f"{path}: a zip archive; unpack it, and name the text file that was in it")
            stream = gzip.GzipFile(fileobj=file) if start.startswith(b"\x1f\x8b") else file
            for number, line in enumerate(stream, start=1):
                if stripped := line.rstrip():
                    yield number, stripped
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror}") from error


def _split_from_right(path: str | Path, number: int, line: bytes, size: int) -> tuple[bytes, bytes]:
    """Split a line whose word holds spaces, or that has other white space than single ones."""
    if b"\0" in line:
        raise DataError(f"{path}: line {number}: NUL byte; expected vectors as text, not in word2vec's binary format")
    fields = line.split()
    words, numbers = fields[:-size], fields[-size:]
    if not words or (len(words) > 1 and _is_number(words[-1])) or not _is_number(numbers[0]):
        count = len(list(takewhile(_is_number, reversed(fields[1:]))))
        raise DataError(f"{path}: line {number} has {count} numbers; expected {size}")
    return line.rsplit(None, size)[0], b" ".join(numbers)


def _parse(path: str | Path, number: int, numbers: bytes) -> list[float]:
    row = []
    for field in numbers.split(b" "):
        try:
            row.append(float(field))
        except ValueError as error:
            shown = field.decode(errors="replace")
            raise DataError(f"{path}: line {number}: {shown!r} is not a number") from error
        if not abs(row[-1]) <= _LARGEST:  # nan is not either
            raise DataError(f"{path}: line {number}: {field.decode()} is not a finite float32 number")
    return row


def _is_number(field: bytes) -> bool:
    return _NUMBER.fullmatch(field) is not None
