"""Parallel text from files, tables and the hub; whatever cannot be read faithfully is refused, with file and line.

Lines end at ``\\n`` and nowhere else, no sentence is taken for a missing value, and content is read anew each time.
JSON lines, csv and tsv are read here, for the loaders of `datasets` (5.2) do not keep to that: a lone ``\\r`` starts a
row, short rows are filled and long ones shifted, 2020-01-01 becomes a date, and errors name no line.
"""

import csv
import glob
import gzip
import json
import logging
import re
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.config import CorpusConfig, DataConfig
from seq2seq.errors import DataError

RATIO_GRACE = 5  # tokens by which the longer side of a pair may exceed the shorter at any ratio


class Corpus(NamedTuple):
    source: list[str]
    target: list[str]

    @property
    def length(self) -> int:
        return len(self.source)


class Dropped(NamedTuple):
    """Pairs left out, each counted once, under the first reason that holds."""

    empty: int
    too_long: int
    ratio: int


def read_lines(path: str | Path) -> list[str]:
    """Read a UTF-8 text file, plain or gzipped, as lines without their ``\\n`` or ``\\r\\n``; all else is kept.

    Raises:
        DataError: The file is missing, unreadable, empty, damaged, or not UTF-8 text.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror}") from error
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: damaged gzip file: {error}") from error
    if data in (b"", b"\xef\xbb\xbf"):
        raise DataError(f"{path} is empty")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is UTF-16 text; expected UTF-8 (convert it with iconv)")
    if (position := data.find(b"\0")) >= 0:
        raise DataError(f"{path}: {_place(data, position)}: NUL byte; expected UTF-8 text, not a binary file or UTF-16")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(data, error.start)
        raise DataError(f"{path}: {place}: byte 0x{data[error.start]:02x} is not valid UTF-8") from error
    lines = text.removeprefix("\ufeff").removesuffix("\n").split("\n")
    return [line.removesuffix("\r") for line in lines]


def read_corpus(corpus: CorpusConfig, data: DataConfig, split: str) -> Corpus:
    """Read one split's sentence pairs. Missing values become empty sentences, and newlines within one become a space.

    Args:
        split: The hub dataset's split where `corpus.split` names none.

    Raises:
        DataError: A file or dataset cannot be read, the sides differ in length, or a column is missing or not text.
    """
    if corpus.source is not None and corpus.target is not None:
        source, target = read_lines(corpus.source), read_lines(corpus.target)
        if len(source) != len(target):
            raise DataError(
                f"{corpus.source} has {len(source)} lines, but {corpus.target} has {len(target)}; "
                "line-aligned files have equally many"
            )
        return Corpus(source, target)
    if path := corpus.json_file:
        return _pairs(path, _to_columns(_read_json(path)), corpus, data)
    if path := corpus.csv:
        return _pairs(path, _read_table(path), corpus, data)
    if path := corpus.tsv:
        return _pairs(path, _read_table(path, delimiter="\t", quoting=csv.QUOTE_NONE), corpus, data)
    if path := corpus.parquet:
        if not Path(path).is_file():
            raise DataError(f"{path}: cannot read the file: no such file")
        options = {"path": "parquet", "data_files": {"train": glob.escape(path)}, "split": "train"}
        return _load_pairs(path, options, corpus, data)
    options = {"path": corpus.hub, "name": corpus.hub_config, "split": corpus.split or split}
    return _load_pairs(f"hub dataset {corpus.hub}, split {options['split']}", options, corpus, data)


def keep_usable(
    source_ids: Sequence[Sequence[int]],
    target_ids: Sequence[Sequence[int]],
    max_length: int,
    max_length_ratio: float,
) -> tuple[list[int], Dropped]:
    """Choose the pairs to train on, of sentences tokenized without BOS and EOS: their indices, and what was dropped.

    A pair is dropped where a side has no tokens; where a side has more than `max_length`; or where the longer side has
    more than `max_length_ratio` times the tokens of the shorter, and over `RATIO_GRACE` tokens more.

    Raises:
        DataError: No pair is left.
    """
    kept: list[int] = []
    empty = too_long = ratio = 0
    for index, (source, target) in enumerate(zip(source_ids, target_ids, strict=True)):
        shorter, longer = sorted((len(source), len(target)))
        if shorter == 0:
            empty += 1
        elif longer > max_length:
            too_long += 1
        elif longer > max_length_ratio * shorter and longer - shorter > RATIO_GRACE:
            ratio += 1
        else:
            kept.append(index)
    if not kept:
        raise DataError(
            f"no usable pairs in the training corpus: of {len(source_ids)}, {empty} have an empty side, {too_long} are "
            f"longer than max_length={max_length} tokens, {ratio} exceed max_length_ratio={max_length_ratio:g}"
        )
    return kept, Dropped(empty, too_long, ratio)


def _place(data: bytes, position: int) -> str:
    start = data.rfind(b"\n", 0, position) + 1
    number = data.count(b"\n", 0, position) + 1
    return f"line {number}, byte offset {position - start}"


def _pairs(where: str, columns: Mapping[str, Any], corpus: CorpusConfig, data: DataConfig) -> Corpus:
    """Take the two columns of sentences, flat or nested as `translation: {en: ..., de: ...}`, out of a table."""
    names = (corpus.source_column or data.source_language, corpus.target_column or data.target_language)
    if "translation" in columns and not all(name in columns for name in names):
        columns = _to_columns([row if isinstance(row, dict) else {} for row in columns["translation"][:]]) or columns
    if not columns or not len(next(iter(columns.values()))):
        raise DataError(f"{where} is empty: it has no rows")
    for key, name in zip(("source_column", "target_column"), names, strict=True):
        if name not in columns:
            available = ", ".join(map(repr, columns))
            raise DataError(f"{where}: no column {name!r}; available are {available} (choose one with {key})")
    source, target = (_sentences(where, name, columns[name][:]) for name in names)
    return Corpus(source, target)


def _sentences(where: str, name: str, values: list[Any]) -> list[str]:
    sentences: list[str] = []
    for row, value in enumerate(values, start=1):
        value = "" if value is None else value
        if not isinstance(value, str):
            raise DataError(f"{where}: row {row}, column {name!r}: expected text, found {type(value).__name__}")
        try:
            value.encode()
        except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON's escapes can spell
            raise DataError(f"{where}: row {row}, column {name!r}: {error.reason}, so it is not text") from error
        sentences.append(re.sub(r"[\r\n]+", " ", value.strip("\r\n")) if "\n" in value or "\r" in value else value)
    return sentences


def _to_columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _read_json(path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)
            raise DataError(f"{path}: line {number}: expected one JSON object a line: {reason}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}: line {number}: expected one JSON object a line, found {type(row).__name__}")
        rows.append(row)
    return rows


def _read_table(path: str, **dialect: Any) -> dict[str, list[str]]:
    """Read columns, named by the first line. A blank line is a pair of empty sentences."""
    reader = csv.reader((line.replace("\r", " ") + "\n" for line in read_lines(path)), strict=True, **dialect)
    table: list[list[str]] = []
    line = 1  # where the row begins
    limit = csv.field_size_limit(2**31 - 1)  # of the whole process
    try:
        for fields in reader:
            fields = fields if any(fields) or not table else [""] * len(table[0])
            if table and len(fields) != len(table[0]):
                raise DataError(f"{path}: line {line} has {len(fields)} fields; expected {len(table[0])}, as in line 1")
            table.append(fields)
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "a field with a quote in it is quoted, that quote doubled"
        raise DataError(f"{path}: the row from line {line} is not csv: {error} ({hint})") from error
    finally:
        csv.field_size_limit(limit)
    return {name: [fields[column] for fields in table[1:]] for column, name in enumerate(table[0])}


def _load_pairs(where: str, options: dict[str, Any], corpus: CorpusConfig, data: DataConfig) -> Corpus:
    import datasets  # takes a second or more
    from datasets.exceptions import DatasetGenerationError

    with _silenced(datasets), tempfile.TemporaryDirectory() as folder:
        if corpus.hub is None or Path(corpus.hub).is_dir():  # the library's cache knows local files by their time alone
            options = {**options, "cache_dir": folder, "keep_in_memory": True}
        try:
            dataset = datasets.load_dataset(**options)
            return _pairs(where, {name: dataset[name] for name in dataset.column_names}, corpus, data)  # read if sliced
        except DataError:
            raise
        except Exception as error:  # the libraries below raise many kinds: of network, hub, files, formats, encoding
            cause = (error.__cause__ if isinstance(error, DatasetGenerationError) else None) or error
            reason = " ".join(f"{type(cause).__name__}: {cause}".split())
            raise DataError(f"{where}: cannot load: {reason[:400]}") from error


@contextmanager
def _silenced(datasets: Any) -> Iterator[None]:
    """Hide the bars of quick work, and log lines that announce retries or the exception to come."""
    level, bars = logging.root.manager.disable, not datasets.are_progress_bars_disabled()
    logging.disable()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        logging.disable(level)
        if bars:
            datasets.enable_progress_bars()
