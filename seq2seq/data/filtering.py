"""Which pairs are trained on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.config import DataConfig
from seq2seq.errors import DataError

RATIO_GRACE = 5  # tokens by which the longer side of a pair may exceed the shorter at any ratio


class Dropped(NamedTuple):
    """Pairs left out, each counted once, under the first reason that holds."""

    empty: int = 0
    too_long: int = 0
    ratio: int = 0


def keep_usable(
    source_lengths: Sequence[int] | np.ndarray, target_lengths: Sequence[int] | np.ndarray, config: DataConfig
) -> tuple[np.ndarray, Dropped]:
    """Choose the pairs to train on, by their tokens without BOS and EOS: their indices, and what was dropped.

    A pair is dropped where a side has no tokens; where a side has more than `data.max_length`; or where the longer side
    has more than `data.max_length_ratio` times the tokens of the shorter, and over `RATIO_GRACE` tokens more.
    """
    source, target = np.asarray(source_lengths), np.asarray(target_lengths)
    shorter, longer = np.minimum(source, target), np.maximum(source, target)
    empty = shorter == 0
    too_long = ~empty & (longer > config.max_length)
    unequal = (longer > config.max_length_ratio * shorter) & (longer - shorter > RATIO_GRACE) & ~empty & ~too_long
    dropped = Dropped(*(int(np.count_nonzero(fault)) for fault in (empty, too_long, unequal)))
    return np.flatnonzero(~(empty | too_long | unequal)), dropped


def require_some(num_kept: int, dropped: Dropped, config: DataConfig) -> None:
    """Check that there is something to train on.

    Raises:
        DataError: There is not; the message counts what was dropped.
    """
    if num_kept == 0:
        raise DataError(
            f"no usable pairs in the training corpus: of {sum(dropped)}, {dropped.empty} have an empty side, "
            f"{dropped.too_long} are longer than max_length={config.max_length} tokens, {dropped.ratio} exceed "
            f"max_length_ratio={config.max_length_ratio:g}"
        )
