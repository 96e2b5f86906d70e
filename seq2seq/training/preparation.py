"""From a config to what the loop needs: corpora read, tokenizer trained or loaded, everything as ids."""

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from seq2seq.config import Config
from seq2seq.data.corpus import Corpus, keep_usable, read_corpus
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.files import write_atomically
from seq2seq.inference.evaluation import build_metric

log = logging.getLogger(__name__)

TOKENIZED_AT_ONCE = 10_000
"""Pairs between two moves of the progress bar."""


class Pairs(NamedTuple):
    """Tokenized sentence pairs, ids without BOS and EOS."""

    sources: list[list[int]]
    targets: list[list[int]]

    @property
    def lengths(self) -> tuple[list[int], list[int]]:
        return [len(ids) for ids in self.sources], [len(ids) for ids in self.targets]

    def select(self, indices: Sequence[int]) -> "Pairs":
        return Pairs([self.sources[i] for i in indices], [self.targets[i] for i in indices])


class TrainingData(NamedTuple):
    tokenizer: Tokenizer
    train: Pairs
    validation: Pairs
    validation_text: Corpus


def prepare(config: Config, run: Path) -> TrainingData:
    """Read and tokenize the training and validation splits; train the tokenizer if the run has none.

    Leaves data.json in the run folder: per split the pairs read, kept and dropped, their tokens, and the SHA-256 of the
    text; and that of the tokenizer.

    Raises:
        DataError: A corpus cannot be read or has no usable pair, or the vocabulary cannot be learned.
        ConfigError: The target language cannot be scored, or the text or the tokenizer is not what the run began with.
    """
    build_metric("bleu", config.data.target_language)  # fails now rather than at the first validation
    train = read_corpus(config.data.train, config.data, "train")
    validation = read_corpus(config.data.validation, config.data, "validation")
    if (run / "tokenizer").exists():
        tokenizer = Tokenizer.load(run / "tokenizer")
    else:
        log.info("learning the vocabulary from %d pairs", train.length)
        tokenizer = Tokenizer.train(config.tokenizer, train)
        tokenizer.save(run / "tokenizer")
    pairs = tokenize(tokenizer, train, "training")
    kept, dropped = keep_usable(*pairs, config.data.max_length, config.data.max_length_ratio)
    log.info(
        "training pairs: %d read, %d kept; dropped: %d with an empty side, %d over data.max_length=%d tokens, "
        "%d over data.max_length_ratio=%g",
        len(train.source), len(kept), dropped.empty, dropped.too_long, config.data.max_length,
        dropped.ratio, config.data.max_length_ratio,
    )  # fmt: skip
    for side, size in (("source", tokenizer.source_size), ("target", tokenizer.target_size)):
        smaller = size < config.tokenizer.vocabulary_size
        log.info("%s vocabulary: %d pieces%s", side, size, ", all that the text supports" if smaller else "")
    data = TrainingData(
        tokenizer,
        pairs.select(kept),
        tokenize(tokenizer, validation, "validation"),
        validation,
    )
    description = {
        "train": _describe(train, data.train) | {"dropped": dropped._asdict()},
        "validation": _describe(validation, data.validation),
        "tokenizer": {"sha256": tokenizer.fingerprint},
    }
    check_unchanged(run, description)
    write_atomically(run / "data.json", json.dumps(description, indent=2) + "\n")
    return data


def tokenize(tokenizer: Tokenizer, corpus: Corpus, name: str) -> Pairs:
    """All pairs as ids; what takes over two seconds shows its progress in a terminal."""
    pairs = Pairs([], [])
    with tqdm(total=corpus.length, desc=f"tokenizing {name} text", unit="pair", delay=2, disable=None) as bar:
        for start in range(0, corpus.length, TOKENIZED_AT_ONCE):
            chunk = slice(start, start + TOKENIZED_AT_ONCE)
            pairs.sources.extend(tokenizer.encode_source(corpus.source[chunk]))
            pairs.targets.extend(tokenizer.encode_target(corpus.target[chunk]))
            bar.update(len(corpus.source[chunk]))
    return pairs


def _describe(corpus: Corpus, pairs: Pairs) -> dict[str, Any]:
    digest = hashlib.sha256()
    for source, target in zip(corpus.source, corpus.target, strict=True):
        digest.update(f"{source}\n{target}\n".encode())
    sources, targets = (sum(lengths) for lengths in pairs.lengths)
    return {
        "read": corpus.length,
        "kept": len(pairs.sources),
        "source_tokens": sources,
        "target_tokens": targets,
        "sha256": digest.hexdigest(),
    }


def check_unchanged(run: Path, description: dict[str, Any]) -> None:
    """Compare the content of what a run learns from with what it began with.

    Raises:
        ConfigError: They differ, or data.json is damaged; the message names what differs.
    """
    path = run / "data.json"
    if not path.exists():
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        old = {name: (part["sha256"], part.get("read", 0)) for name, part in before.items()}
    except (ValueError, KeyError, AttributeError) as error:
        raise ConfigError(f"{path}: damaged; it tells what the run began with") from error
    for name, what in (("train", "training text"), ("validation", "validation text"), ("tokenizer", "tokenizer")):
        sha256, read = old.get(name, ("nothing", 0))
        now = description[name]
        if sha256 != now["sha256"]:
            counts = "" if read == now.get("read", 0) else f"; {read:,} pairs then, {now['read']:,} now"
            raise ConfigError(
                f"{run}: the {what} is not what this run began with (SHA-256 {sha256[:12]} then, "
                f"{now['sha256'][:12]} now{counts}): put it back, or train in another folder"
            )
