"""How fast a model translates."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Unpack

from seq2seq.inference.options import SearchChanges

if TYPE_CHECKING:
    from seq2seq.inference.translator import Translator


class Speed(NamedTuple):
    """Of translating alone, from text to text: without loading the model, without scoring."""

    seconds: float
    sentences_per_second: float
    tokens_per_second: float
    """Subword tokens of the translations, each one's </s> included."""


def translate_timed(
    translator: "Translator",
    sources: Sequence[str],
    beam_size: int | None = None,
    show_progress: bool = False,
    **changes: Unpack[SearchChanges],
) -> tuple[list[str], Speed]:
    """Translate as `Translator.translate` does; the translations, and how long they took."""
    start = time.perf_counter()
    results = translator.translate(sources, beam_size, show_progress=show_progress, **changes)
    seconds = time.perf_counter() - start
    num_tokens = sum(len(result.tokens) for result in results)
    return [result.text for result in results], Speed(seconds, len(results) / seconds, num_tokens / seconds)
