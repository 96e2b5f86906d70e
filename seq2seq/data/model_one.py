"""How likely each source piece is to be translated by each target piece, learned from sentence pairs: IBM model 1."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from seq2seq.data.tokenized import StoredPairs
from seq2seq.data.tokenizer import PAD

LINKS_AT_ONCE = 2_000_000
"""Pairs of a target and a source token of one sentence pair, which take some 100 bytes each while they are counted."""
LARGEST_TABLE = 5_000_000
"""Entries above which a table is cut to the strongest."""
MOST_TRANSLATIONS = 500
"""Of a source piece in a table that was cut."""
NULL = PAD
"""The source piece that stands for none, from which a target piece may come in any sentence; PAD stands in no text."""
TINY = np.finfo(float).tiny
"""For divisions of nothing by nothing."""


class Table(NamedTuple):
    """Numbers for pairs of a source and a target piece."""

    keys: np.ndarray
    """Source id x target vocabulary size + target id, in rising order."""
    values: np.ndarray


def learn_alignments(pairs: StoredPairs, target_size: int, num_iterations: int = 5) -> Table:
    """How often a source piece e is translated by a target piece f, in expectation: IBM model 1 (Brown et al. 1993).

    Expectation: each token f of a target sentence is shared out over the tokens e of its source sentence and NULL, in
    proportion to t(f | e). Maximization: t(f | e) is what e has of f over all that e has. It starts from equal parts.

    Deviation: where the table would grow too large, a source piece keeps the `MOST_TRANSLATIONS` that it stands
    together with most.
    """
    table = Table(np.empty(0, dtype=np.int64), np.empty(0))
    limit = LARGEST_TABLE
    for links in _links(pairs, target_size):
        parts = 1 / links.num_sources.repeat(links.num_sources)
        table = _summed(np.concatenate([table.keys, links.keys]), np.concatenate([table.values, parts]))
        if len(table.keys) > limit:
            table = _strongest(table, target_size)
            limit = max(LARGEST_TABLE, 2 * len(table.keys))
    for _ in range(num_iterations - 1):
        probabilities, counts = normalized(table, target_size), np.zeros(len(table.keys))
        for links in _links(pairs, target_size):
            index = np.searchsorted(table.keys, links.keys).clip(max=len(table.keys) - 1)
            weights = probabilities[index] * (table.keys[index] == links.keys)
            totals = np.add.reduceat(weights, links.num_sources.cumsum() - links.num_sources)
            parts = weights / np.maximum(totals, TINY).repeat(links.num_sources)
            counts += np.bincount(index, parts, minlength=len(counts))
        table = Table(table.keys, counts)
    return table


def normalized(table: Table, target_size: int) -> np.ndarray:
    """t(f | e): each value's part of the sum of its source piece's."""
    source = table.keys // target_size
    return table.values / np.maximum(np.bincount(source, table.values), TINY)[source]


def ranked(table: Table, target_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source and target ids, by source and then by falling value, and each entry's rank among its source piece's."""
    source, target = np.divmod(table.keys, target_size)
    order = np.lexsort((-table.values, source))
    source, target = source[order], target[order]
    return source, target, np.arange(len(source)) - np.searchsorted(source, source)


def _strongest(table: Table, target_size: int) -> Table:
    source, target, rank = ranked(table, target_size)
    kept = rank < MOST_TRANSLATIONS
    keys = np.sort(source[kept] * target_size + target[kept])
    return Table(keys, table.values[np.searchsorted(table.keys, keys)])


def _summed(keys: np.ndarray, values: np.ndarray) -> Table:
    keys, inverse = np.unique(keys, return_inverse=True)
    return Table(keys, np.bincount(inverse, values))


class _Ids(NamedTuple):
    """Sentences one after the other."""

    ids: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[list[int]]) -> "_Ids":
        return cls(np.array([index for row in rows for index in row]), np.array([len(row) for row in rows]))


class _Links(NamedTuple):
    """What stands together in sentence pairs: target token by target token, all tokens of its source sentence."""

    keys: np.ndarray
    num_sources: np.ndarray
    """For each target token."""


def _links(pairs: StoredPairs, target_size: int) -> Iterator[_Links]:
    """So many pairs at a time that their links fit in memory; NULL stands in each source sentence."""
    lengths_of_sources, lengths_of_targets = pairs.lengths
    links = np.cumsum((lengths_of_sources.astype(np.int64) + 1) * lengths_of_targets)
    parts = np.split(np.arange(len(links)), np.flatnonzero(np.diff(links // LINKS_AT_ONCE)) + 1)
    for indices in tqdm(parts, "counting what stands together", unit="part", delay=2, leave=False, disable=None):
        some = pairs.select(indices)
        sources, targets = _Ids.of([[*ids, NULL] for ids in some.sources]), _Ids.of(some.targets)
        begins = sources.lengths.cumsum() - sources.lengths
        num_sources = sources.lengths.repeat(targets.lengths)
        ends = num_sources.cumsum()
        places = np.arange(ends[-1]) - (ends - num_sources - begins.repeat(targets.lengths)).repeat(num_sources)
        yield _Links(sources.ids[places] * target_size + targets.ids.repeat(num_sources), num_sources)
