"""Writes the embedded English-French corpus: a seeded grammar that says every sentence in both languages.

    python scripts/generate_corpus.py [--output data/en-fr] [--seed 1]

The grammar is in scripts/corpus: lexicon (tables), words (inflection, elision), phrases, clauses, sentences. About
one in nine (adjective, noun) and (verb, object) combinations is kept out of the training split; every test sentence
and half of the validation sentences have at least one such combination. data/README.md says the rest.
"""

import argparse
import sys
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from corpus.clauses import BE, Predicate, clause
from corpus.complex_sentences import SENTENCES
from corpus.lexicon import PROFESSIONS
from corpus.phrases import PRONOUNS, Phrase, finish, rng, weighted
from corpus.sentences import profession_of

SIZES = {"train": 20000, "validation": 500, "test": 500}
LENGTHS = range(3, 26)  # words of a sentence, in either language
RARE = 5  # a word of the other splits is at least so often in the training split


class Sentence(NamedTuple):
    en: str
    fr: str
    combinations: frozenset[tuple[str, str]]


def held_out(combination: tuple[str, str]) -> bool:
    """Whether a combination of words is kept for the validation and test splits."""
    return zlib.crc32(" ".join(combination).encode()) % 9 == 0


def professions() -> list[Phrase]:
    """Every "I am a student": few, and wanted in the training split."""
    return [clause(who, Predicate(BE, profession_of(who, en)), "present") for who in PRONOUNS for en in PROFESSIONS]


def words(sentences: Iterable[Sentence]) -> Counter[str]:
    """Counts the sentences that each word is in, both languages together."""
    return Counter(word for s in sentences for text in (s.en, s.fr) for word in set(text.lower().split()))


def generate(seed: int) -> dict[str, list[Sentence]]:
    """Returns the sentences of each split; no sentence of either language is in the corpus twice."""
    rng.seed(seed)
    seen: set[str] = set()
    ordinary: list[Sentence] = []
    novel: list[Sentence] = []
    queue = professions()
    while len(ordinary) < SIZES["train"] + SIZES["validation"] or len(novel) < 3 * SIZES["test"]:
        phrase = queue.pop() if queue else weighted(SENTENCES)()
        sentence = Sentence(*finish(phrase), phrase.combinations)
        lengths = len(sentence.en.split()), len(sentence.fr.split())
        if {sentence.en, sentence.fr} & seen or not all(length in LENGTHS for length in lengths):
            continue
        seen |= {sentence.en, sentence.fr}
        (novel if any(map(held_out, phrase.combinations)) else ordinary).append(sentence)
    train, spare = ordinary[: SIZES["train"]], ordinary[SIZES["train"] :]
    counts = words(train)
    novel, spare = ([s for s in pool if min(counts[w] for w in words([s])) >= RARE] for pool in (novel, spare))
    half = SIZES["validation"] // 2
    test, validation = novel[: SIZES["test"]], novel[SIZES["test"] :][:half] + spare[:half]
    rng.shuffle(train)
    rng.shuffle(validation)
    return {"train": train, "validation": validation, "test": test}


def write(splits: dict[str, list[Sentence]], folder: Path) -> None:
    for split, sentences in splits.items():
        for language in ("en", "fr"):
            text = "".join(getattr(sentence, language) + "\n" for sentence in sentences)
            (folder / f"{split}.{language}").write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the embedded English-French corpus.")
    default = Path(__file__).resolve().parent.parent / "data" / "en-fr"
    parser.add_argument("--output", type=Path, default=default, help="the folder to write to (default: data/en-fr)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        write(generate(options.seed), options.output)
    except OSError as error:
        print(f"generate_corpus: cannot write to {options.output}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
