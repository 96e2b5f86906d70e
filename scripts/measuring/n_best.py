"""Lists of n best translations, as `seq2seq translate --n-best` writes them."""

from pathlib import Path
from typing import NamedTuple

from seq2seq.data.lines import read_lines
from seq2seq.errors import DataError


class Candidate(NamedTuple):
    sentence: int
    """From 0."""
    score: float | None
    """By which search ranked it, where `--scores` was given."""
    text: str


def read_n_best(path: Path, sentences: Path) -> list[Candidate]:
    """A file's lines, in their order; with at least one for each sentence.

    Args:
        sentences: A file that has a line for each sentence.

    Raises:
        DataError: A file cannot be read, a line does not begin with its sentence's number and a tab, has no number for
            a score, or more than score and translation; or a sentence has no translation, or no line.
    """
    count = sum(1 for _ in read_lines(sentences))
    candidates = []
    for number, line in enumerate(read_lines(path), start=1):
        sentence, *fields = line.split("\t")
        if not sentence.isdecimal() or not 1 <= len(fields) <= 2:
            raise DataError(
                f"{path}: line {number}: expected a sentence's number, a tab and a translation, or a score between "
                "them, as seq2seq translate --n-best writes them"
            )
        if not 1 <= int(sentence) <= count:
            raise DataError(f"{path}: line {number}: sentence {sentence}; {sentences} has {count} lines")
        try:
            score = float(fields[0]) if len(fields) == 2 else None
        except ValueError:
            raise DataError(f"{path}: line {number}: {fields[0]!r} is not a number") from None
        candidates.append(Candidate(int(sentence) - 1, score, fields[-1]))
    if missing := set(range(count)) - {candidate.sentence for candidate in candidates}:
        raise DataError(f"{path}: no translation of sentence {min(missing) + 1} of {count}")
    return candidates
