"""Rows of tables (JSON lines, csv, tsv, parquet) and of datasets on the hub, a chunk of columns at a time.

JSON lines, csv and tsv are read here, for the loaders of `datasets` (5.2) do not keep to what `corpus` promises: a lone
``\\r`` starts a row, short rows are filled and long ones shifted, 2020-01-01 becomes a date, and errors name no line.
"""

import csv
import json
import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from seq2seq.config import CorpusConfig
from seq2seq.data.lines import read_lines
from seq2seq.errors import DataError

CHUNK = 1000
"""Rows held in memory at a time."""

Columns = dict[str, list[Any]]


def read_columns(corpus: CorpusConfig, split: str, streaming: bool) -> tuple[str, Iterator[Columns]]:
    """The name of a table or dataset for messages, and its columns chunk by chunk.

    Args:
        split: The hub dataset's split where `corpus.split` names none.
        streaming: Read a hub dataset over the network as it is needed instead of storing it first.
    """
    if path := corpus.json_file:
        return path, _chunks(_read_json(path))
    if path := corpus.csv:
        return path, _chunks(_read_table(path))
    if path := corpus.tsv:
        return path, _chunks(_read_table(path, delimiter="\t", quoting=csv.QUOTE_NONE))
    if path := corpus.parquet:
        return path, _read_parquet(path)
    hub = corpus.hub or ""
    name, _, revision = (hub, "", "") if Path(hub).exists() else hub.partition("@")
    options = {"path": name, "revision": revision or None, "name": corpus.hub_config, "split": corpus.split or split}
    where = f"hub dataset {hub}, split {options['split']}"
    return where, _load(where, options, streaming)


def to_columns(rows: Iterable[dict[str, Any]]) -> Columns:
    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[Columns]:
    names: dict[str, None] = {}  # of all rows so far: where a chunk lacks a column, its values are missing
    while chunk := list(islice(rows, CHUNK)):
        names |= dict.fromkeys(name for row in chunk for name in row)
        yield {name: [row.get(name) for row in chunk] for name in names}


def _read_json(path: str) -> Iterator[dict[str, Any]]:
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
        yield row


def _read_table(path: str, **dialect: Any) -> Iterator[dict[str, str]]:
    """Rows of a table whose columns the first line names. A blank line is a pair of empty sentences."""
    csv.field_size_limit(2**31 - 1)  # of the whole process: a sentence may be long
    reader = csv.reader((line.replace("\r", " ") + "\n" for line in read_lines(path)), strict=True, **dialect)
    names: list[str] = []
    line = 1  # where the row begins
    try:
        for fields in reader:
            fields = fields if any(fields) or not names else [""] * len(names)
            if names and len(fields) != len(names):
                raise DataError(f"{path}: line {line} has {len(fields)} fields; expected {len(names)}, as in line 1")
            if names:
                yield dict(zip(names, fields, strict=True))
            else:
                names = fields
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "a field with a quote in it is quoted, that quote doubled"
        raise DataError(f"{path}: the row from line {line} is not csv: {error} ({hint})") from error


def _read_parquet(path: str) -> Iterator[Columns]:
    if not Path(path).is_file():
        raise DataError(f"{path}: cannot read the file: no such file")
    import pyarrow.parquet

    with _errors_named(path):  # without threads: one that is left at the end would abort the process
        batches = pyarrow.parquet.ParquetFile(path).iter_batches(CHUNK, use_threads=False)
    while True:
        with _errors_named(path):
            batch = next(batches, None)
            columns = None if batch is None else batch.to_pydict()
        if columns is None:
            return
        yield columns


def _load(where: str, options: dict[str, Any], streaming: bool) -> Iterator[Columns]:
    with _errors_named(where):
        import datasets  # takes a second or more

    with tempfile.TemporaryDirectory() as folder:
        if Path(options["path"]).is_dir() and not streaming:  # the library's store knows files by their time alone
            options = options | {"cache_dir": folder}
        with _errors_named(where), silenced(datasets):
            chunks = datasets.load_dataset(**options, streaming=streaming).iter(batch_size=CHUNK)
        while True:
            with _errors_named(where), silenced(datasets):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk


@contextmanager
def _errors_named(where: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the libraries below raise many kinds: of network, hub, files, formats, encoding
        from datasets.exceptions import DatasetGenerationError

        cause = (error.__cause__ if isinstance(error, DatasetGenerationError) else None) or error
        reason = " ".join(f"{type(cause).__name__}: {cause}".split())
        raise DataError(f"{where}: cannot load: {reason[:400]}") from error


@contextmanager
def silenced(datasets: Any) -> Iterator[None]:
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
