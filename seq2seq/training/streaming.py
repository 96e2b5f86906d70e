"""A training corpus that is never stored: read, tokenized, shuffled and bucketed a buffer at a time."""

import logging
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
from tqdm import tqdm

from seq2seq.config import DataConfig
from seq2seq.data.filtering import Dropped, keep_usable, require_some
from seq2seq.data.tokenized import Fingerprint, StoredPairs
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.training.processes import Processes

log = logging.getLogger(__name__)

TOKENIZED_AT_ONCE = 1000
"""Pairs whose ids are Python's numbers, which take ten times the memory of Arrow's."""


class Buffer(NamedTuple):
    """Consecutive pairs of the corpus, and where they begin."""

    pairs: StoredPairs
    rows_before: int
    sha256_before: str
    """The fingerprint of the text before them."""


class PairStream:
    """The pairs of a corpus in its own order, a buffer at a time; read anew in each epoch.

    All processes read the whole text; each tokenizes its part of a buffer, and they exchange the ids.
    """

    def __init__(
        self,
        read: Callable[[], Iterator[tuple[str, str]]],
        tokenizer: Tokenizer,
        config: DataConfig,
        processes: Processes,
    ):
        self._read, self._tokenizer, self._config, self._processes = read, tokenizer, config, processes

    def buffers(self, rows_before: int, sha256_before: str) -> Iterator[Buffer]:
        """One epoch's buffers, from the one that begins after so many rows.

        Raises:
            ConfigError: The text before it is not what it was.
            DataError: The corpus cannot be read, or has no usable pair.
        """
        found = Fingerprint()
        rows = found.over(self._read())
        hidden = None if self._processes.is_main else True
        for _ in tqdm(
            islice(rows, rows_before), "finding the place", rows_before, delay=2, unit="pair", disable=hidden
        ):
            pass
        if rows_before and (found.num_pairs, found.sha256) != (rows_before, sha256_before):
            raise ConfigError(
                f"the training text is not what this run began with: its first {rows_before:,} pairs, which the run "
                "has read in this epoch, have another SHA-256: put it back, or train in another folder"
            )
        num_kept, dropped = 0, Dropped()
        while True:
            rows_before, sha256_before = found.num_pairs, found.sha256
            text = list(islice(rows, self._config.shuffle_buffer))
            if not text:
                break
            pairs = self._tokenize(text)
            kept, of_these = keep_usable(*pairs.lengths, self._config)
            num_kept, dropped = num_kept + len(kept), Dropped(*map(sum, zip(dropped, of_these, strict=True)))
            yield Buffer(pairs.keep(kept), rows_before, sha256_before)
        require_some(num_kept, dropped, self._config)
        log.info(
            "training pairs: %d read, %d kept; dropped: %d with an empty side, %d over data.max_length=%d tokens, "
            "%d over data.max_length_ratio=%g",
            num_kept + sum(dropped),
            num_kept,
            dropped.empty,
            dropped.too_long,
            self._config.max_length,
            dropped.ratio,
            self._config.max_length_ratio,
        )

    def _tokenize(self, text: list[tuple[str, str]]) -> StoredPairs:
        processes, step = self._processes, TOKENIZED_AT_ONCE
        share = -(-len(text) // processes.count)  # rounded up
        mine = text[processes.rank * share : (processes.rank + 1) * share]
        tables = [self._table(mine[start : start + step]) for start in range(0, max(1, len(mine)), step)]
        return StoredPairs(pa.concat_tables(processes.gather(pa.concat_tables(tables))))

    def _table(self, text: list[tuple[str, str]]) -> pa.Table:
        ids = pa.list_(pa.int32())
        sources = self._tokenizer.encode_source([source for source, _ in text])
        targets = self._tokenizer.encode_target([target for _, target in text])
        return pa.table({"source": pa.array(sources, ids), "target": pa.array(targets, ids)})
