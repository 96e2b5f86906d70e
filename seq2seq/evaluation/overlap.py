"""What of a test set stood in the training text already: scores on that tell memory, not translation."""

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from tqdm import tqdm


class Overlap(NamedTuple):
    num_pairs: int
    """Test sentences that stand in the training text with the same translation."""
    num_sources: int
    """Test sentences whose source stands there, with whatever translation."""
    num_sentences: int
    """Of the test set, those that stand in it twice counted twice."""


def count_overlap(
    test: Iterable[tuple[str, str]], training: Iterable[tuple[str, str]], show_progress: bool = False
) -> Overlap:
    """Count the sentences of `test` that `training` has, too, after NFKC and case folding of both.

    The training text may be larger than memory: it is read once, pair by
    pair, and looked up in the set of the test sentences.
    """
    pairs = [(_normalize(source), _normalize(target)) for source, target in test]
    wanted, wanted_sources = set(pairs), {source for source, _ in pairs}
    seen: set[tuple[str, str]] = set()
    seen_sources: set[str] = set()
    for source, target in tqdm(training, desc="comparing with training text", unit="pair", disable=not show_progress):
        source = _normalize(source)
        if source in wanted_sources:
            seen_sources.add(source)
            pair = (source, _normalize(target))
            if pair in wanted:
                seen.add(pair)
    return Overlap(
        num_pairs=sum(pair in seen for pair in pairs),
        num_sources=sum(source in seen_sources for source, _ in pairs),
        num_sentences=len(pairs),
    )


def _normalize(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
