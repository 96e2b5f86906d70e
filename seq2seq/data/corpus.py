"""Parallel text from files, tables and the hub; whatever cannot be read faithfully is refused, with file and line.

Lines end at ``\\n`` and nowhere else, no sentence is taken for a missing value, and content is read anew each time, a
few pairs at a time.
"""

import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.config import CorpusConfig, DataConfig
from seq2seq.data.lines import read_lines
from seq2seq.data.tables import Columns, read_columns, to_columns
from seq2seq.errors import DataError


class Corpus(NamedTuple):
    """Sentence pairs in memory."""

    source: list[str]
    target: list[str]

    @property
    def length(self) -> int:
        return len(self.source)


def read_corpus(corpus: CorpusConfig, data: DataConfig, split: str) -> Corpus:
    """All sentence pairs of one split, as `read_pairs` gives them."""
    pairs = list(read_pairs(corpus, data, split))
    return Corpus([source for source, _ in pairs], [target for _, target in pairs])


def read_pairs(corpus: CorpusConfig, data: DataConfig, split: str) -> Iterator[tuple[str, str]]:
    """One split's sentence pairs, one by one: a corpus may be larger than memory.

    Missing values become empty sentences, and newlines within one become a space.

    Args:
        split: The hub dataset's split where `corpus.split` names none.

    Raises:
        DataError: A file or dataset cannot be read, the sides differ in length, or a column is missing or not text;
            raised when the place is reached.
    """
    if corpus.source is not None and corpus.target is not None:
        yield from read_aligned(corpus.source, corpus.target)
        return
    where, chunks = read_columns(corpus, split, data.streaming)
    names = (corpus.source_column or data.source_language, corpus.target_column or data.target_language)
    num_rows = 0
    for columns in chunks:
        columns = _sentence_columns(where, columns, names, num_rows == 0)
        source, target = (_sentences(where, name, columns[name], num_rows) for name in names)
        num_rows += len(source)
        yield from zip(source, target, strict=True)
    if num_rows == 0:
        raise DataError(f"{where} is empty: it has no rows")


def read_aligned(source_path: str | Path, target_path: str | Path) -> Iterator[tuple[str, str]]:
    """The pairs of two text files, the one's lines with the other's.

    Raises:
        DataError: A file cannot be read, or one has more lines than the other; raised when the place is reached.
    """
    sources, targets = read_lines(source_path), read_lines(target_path)
    for number, (source, target) in enumerate(zip_longest(sources, targets), start=1):
        if source is None or target is None:
            shorter, longer = number - 1, number + sum(1 for _ in (targets if source is None else sources))
            counts = (shorter, longer) if source is None else (longer, shorter)
            raise DataError(
                f"{source_path} has {counts[0]} lines, but {target_path} has {counts[1]}; "
                "line-aligned files have equally many"
            )
        yield source, target


def _sentence_columns(where: str, columns: Columns, names: tuple[str, str], is_first: bool) -> Columns:
    """The two columns of sentences, flat or nested as `translation: {en: ..., de: ...}`.

    What the first rows lack is missing from the table; later it is a missing value.
    """
    if "translation" in columns and not all(name in columns for name in names):
        columns = to_columns(row if isinstance(row, dict) else {} for row in columns["translation"]) or columns
    for key, name in zip(("source_column", "target_column"), names, strict=True):
        if name not in columns and is_first:
            available = ", ".join(map(repr, columns))
            raise DataError(f"{where}: no column {name!r}; available are {available} (choose one with {key})")
    num_rows = len(next(iter(columns.values())))
    return {name: columns.get(name, [None] * num_rows) for name in names}


def _sentences(where: str, name: str, values: list[Any], rows_before: int) -> list[str]:
    sentences: list[str] = []
    for row, value in enumerate(values, start=rows_before + 1):
        value = "" if value is None else value
        if not isinstance(value, str):
            raise DataError(f"{where}: row {row}, column {name!r}: expected text, found {type(value).__name__}")
        try:
            value.encode()
        except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON's escapes can spell
            raise DataError(f"{where}: row {row}, column {name!r}: {error.reason}, so it is not text") from error
        sentences.append(re.sub(r"[\r\n]+", " ", value.strip("\r\n")) if "\n" in value or "\r" in value else value)
    return sentences
