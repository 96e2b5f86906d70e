"""Tokenized sentence pairs: a few in memory, or any number in memory-mapped Arrow, tokenized once and kept."""

import copy
import fcntl
import hashlib
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm import tqdm

from seq2seq.data.tables import silenced
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import DataError, UserError
from seq2seq.files import remove, written_whole

if TYPE_CHECKING:
    import pyarrow

log = logging.getLogger(__name__)

FORMAT = 1
"""Counts the changes of what is stored; a folder of another format is not found."""
PAIRS_A_WORKER = 20_000
"""Fewer are tokenized sooner than another process starts."""


class Pairs(NamedTuple):
    """Tokenized sentence pairs in memory, ids without BOS and EOS."""

    sources: Sequence[list[int]]
    targets: Sequence[list[int]]

    @property
    def lengths(self) -> tuple[list[int], list[int]]:
        return [len(ids) for ids in self.sources], [len(ids) for ids in self.targets]

    @property
    def num_target_tokens(self) -> int:
        """EOS included."""
        return sum(len(ids) + 1 for ids in self.targets)

    def select(self, indices: Sequence[int] | np.ndarray) -> "Pairs":
        return Pairs([self.sources[i] for i in indices], [self.targets[i] for i in indices])


class StoredPairs:
    """Those pairs of an Arrow table that are trained on; what is memory-mapped stays on the disk until it is asked for.

    Args:
        table: A column `source` and a column `target`, of lists of ids.
    """

    def __init__(self, table: "pyarrow.Table"):
        self._kept = np.arange(table.num_rows)
        self._source, self._target = _IdColumn(table.column("source")), _IdColumn(table.column("target"))

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        return self._source.lengths[self._kept], self._target.lengths[self._kept]

    def keep(self, indices: np.ndarray) -> "StoredPairs":
        some = copy.copy(self)
        some._kept = self._kept[indices]
        return some

    def select(self, indices: np.ndarray) -> Pairs:
        """Read some pairs from the disk."""
        rows = self._kept[indices]
        return Pairs(self._source.select(rows), self._target.select(rows))


class _IdColumn:
    """A column of lists of ids as Arrow has it: in chunks, each the ids of all its lists in a row, and their offsets.

    Arrow's own `take` goes through all chunks in each call, and its `to_numpy` imports pandas.
    """

    def __init__(self, column: "pyarrow.ChunkedArray"):
        self._chunks = [(np.from_dlpack(chunk.offsets), np.from_dlpack(chunk.values)) for chunk in column.chunks]
        self._first_rows = np.cumsum([0, *(len(offsets) - 1 for offsets, _ in self._chunks)])

    @property
    def lengths(self) -> np.ndarray:
        return np.concatenate([np.empty(0, dtype=np.int32), *(np.diff(offsets) for offsets, _ in self._chunks)])

    def select(self, rows: np.ndarray) -> list[list[int]]:
        numbers = np.searchsorted(self._first_rows, rows, side="right") - 1
        found = []
        for number, row in zip(numbers.tolist(), (rows - self._first_rows[numbers]).tolist(), strict=True):
            offsets, ids = self._chunks[number]
            found.append(ids[offsets[row] : offsets[row + 1]].tolist())
        return found


class Fingerprint:
    """The number of pairs and the SHA-256 of their text, whatever files they come from; taken as they pass."""

    def __init__(self) -> None:
        self.num_pairs = 0
        self._digest = hashlib.sha256()

    def over(self, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        for source, target in pairs:
            self._digest.update(f"{source}\n{target}\n".encode())
            self.num_pairs += 1
            yield source, target

    @property
    def sha256(self) -> str:
        """Of the pairs so far."""
        return self._digest.hexdigest()


def tokenize_once(
    read: Callable[[], Iterator[tuple[str, str]]],
    tokenizer: Tokenizer,
    sha256: str,
    num_pairs: int,
    folder: Path,
    num_workers: int | None,
) -> StoredPairs:
    """Tokenize a corpus into a folder named by its content and the tokenizer's; or find it there.

    Memory holds a few thousand pairs at a time. Of several trainings that want the same corpus one tokenizes it and the
    others wait.

    Args:
        read: Starts reading the pairs from the first.
        sha256: The fingerprint of all `num_pairs` pairs.

    Raises:
        DataError: The corpus cannot be read, or is another than when its fingerprint was taken.
        UserError: The folder cannot be made or written, or what it holds is damaged.
    """
    name = hashlib.sha256(f"{FORMAT} {sha256} {tokenizer.fingerprint}".encode()).hexdigest()[:32]
    stored = folder / name
    try:
        with _locked(folder, name):
            for leftover in folder.glob(f".{name}.*tmp"):
                remove(leftover)
            if stored.exists():
                log.info("the training text has been tokenized before: %s", stored)
            else:
                _tokenize_into(stored, read, tokenizer, sha256, num_pairs, num_workers)
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: cannot write the tokenized corpus: {error.strerror or error}; "
            "data.cache may name another folder"
        ) from error
    try:
        pairs = StoredPairs(_map_table(stored))
        if len(pairs) != num_pairs:
            raise ValueError(f"{len(pairs)} pairs instead of {num_pairs}")
    except Exception as error:  # pyarrow raises many kinds for what is damaged
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{stored}: damaged ({reason}); delete the folder, and it is made anew") from error
    return pairs


def _map_table(stored: Path) -> "pyarrow.Table":
    """What `datasets` has written, without its import, which takes time and, with pandas, memory.

    Raises:
        Many kinds: There is nothing, or it is damaged.
    """
    import pyarrow as pa

    files = sorted(stored.glob("data-*.arrow"))
    if any(file.is_symlink() for file in files):
        raise ValueError("it has files elsewhere")
    table = pa.concat_tables(pa.ipc.open_stream(pa.memory_map(str(file))).read_all() for file in files)
    table.validate(full=True)
    expected = pa.schema([(side, pa.list_(pa.int32())) for side in ("source", "target")])
    if not table.schema.equals(expected):
        raise ValueError(f"its columns are {', '.join(f'{column.name}: {column.type}' for column in table.schema)}")
    if any(chunk.values.null_count > 0 for column in table.columns for chunk in column.chunks):
        raise ValueError("an id is null")
    return table


def _tokenize_into(
    stored: Path,
    read: Callable[[], Iterator[tuple[str, str]]],
    tokenizer: Tokenizer,
    sha256: str,
    num_pairs: int,
    num_workers: int | None,
) -> None:
    import datasets  # takes a second or more
    from datasets.exceptions import DatasetGenerationError

    text = datasets.Features({side: datasets.Value("string") for side in ("source", "target")})
    ids = datasets.Features({side: datasets.List(datasets.Value("int32")) for side in ("source", "target")})
    workers = num_workers or min(_num_cores(), 1 + num_pairs // PAIRS_A_WORKER)
    work = stored.with_name(f".{stored.name}.work.tmp")
    found = Fingerprint()

    def rows() -> Iterator[dict[str, str]]:
        pairs = found.over(read())
        for source, target in tqdm(pairs, "storing training text", num_pairs, unit="pair", delay=2, disable=None):
            yield {"source": source, "target": target}

    try:
        with silenced(datasets), written_whole(stored) as new:
            lines = datasets.Dataset.from_generator(rows, text, str(work), fingerprint=f"{stored.name}-text")
            if found.sha256 != sha256:
                raise DataError("the training text changed while it was read; start again")
            if sys.stderr.isatty() and num_pairs > PAIRS_A_WORKER:
                datasets.enable_progress_bars()
            tokenized = lines.map(
                _tokenize,
                fn_kwargs={"tokenizer": tokenizer},
                batched=True,
                features=ids,
                remove_columns=["source", "target"],
                num_proc=workers if workers > 1 else None,
                cache_file_name=str(work / "ids.arrow"),
                new_fingerprint=stored.name,
                desc="tokenizing training text",
            )
            tokenized.save_to_disk(str(new))
    except DatasetGenerationError as error:  # around what went wrong in `rows`, or in writing them
        raise error.__cause__ or error from None
    finally:
        remove(work)


def _tokenize(rows: Mapping[str, list[str]], tokenizer: Tokenizer) -> dict[str, list[list[int]]]:
    sources, targets = tokenizer.encode_source(rows["source"]), tokenizer.encode_target(rows["target"])
    return {"source": sources, "target": targets}


def _num_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """Only one process at a time is within, for a folder and a name."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f".{name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another training that tokenizes the same text")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
