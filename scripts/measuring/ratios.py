"""Figures of contestants that took turns, one a round."""

import statistics
from collections.abc import Sequence


def median_ratio(values: Sequence[float], reference: Sequence[float]) -> float:
    """The median over the rounds of the ratio within a round, in which a machine that slows down cancels out."""
    return statistics.median(value / other for value, other in zip(values, reference, strict=True))
