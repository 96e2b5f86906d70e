"""BLEU by the length of the source: where a fixed context fails, and where attention is to help."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from seq2seq.errors import DataError
from seq2seq.evaluation.metrics import score_translations


class LengthBucket(NamedTuple):
    """The sentences whose source has from `shortest` to `longest` words, and the BLEU of their translations."""

    shortest: int
    longest: int
    num_sentences: int
    bleu: float

    @property
    def words(self) -> str:
        """The range of lengths, as "7" or "8–11"."""
        return str(self.shortest) if self.shortest == self.longest else f"{self.shortest}–{self.longest}"


BUCKET_SHARES = (0.2, 0.4, 0.6, 0.8, 0.9)
"""Where source lengths are cut: fifths, and the longest fifth once more, for that is where a fixed context fails."""


def bleu_by_source_length(
    sources: Sequence[str],
    translations: Sequence[str],
    references: Sequence[str],
    target_language: str,
    lowercase: bool = False,
) -> list[LengthBucket]:
    """Corpus BLEU of short to long sentences. A source's length is its words, as split at white space.

    The buckets are cut at quantiles of the lengths, `BUCKET_SHARES`, so they depend on the sources alone, and none is
    without sentences; all sentences of one length are in one bucket. BLEU counts runs of up to four tokens: a bucket
    whose translations have no four in a row scores 0, however good they are.

    Raises:
        DataError: The lists differ in length, or are empty.
    """
    if not len(sources) == len(translations) == len(references):
        raise DataError(f"{len(translations)} translations and {len(references)} references for {len(sources)} sources")
    if not sources:
        raise DataError("no sentences to score")
    lengths = [len(source.split()) for source in sources]
    ascending = sorted(lengths)
    ends = [ascending[math.ceil(share * len(ascending)) - 1] for share in (*BUCKET_SHARES, 1.0)]
    buckets = []
    start = ascending[0]
    for end in sorted(set(ends)):
        chosen = [index for index, length in enumerate(lengths) if start <= length <= end]
        scores = score_translations(
            [translations[index] for index in chosen],
            [references[index] for index in chosen],
            target_language,
            ["bleu"],
            lowercase=lowercase,
        )
        buckets.append(LengthBucket(start, end, len(chosen), scores["bleu"].score))
        start = end + 1
    return buckets
