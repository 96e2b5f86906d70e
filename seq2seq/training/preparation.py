"""From a config to what the loop needs: corpora read, tokenizer trained or loaded, everything as ids."""

import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from seq2seq.config import Config
from seq2seq.data.corpus import Corpus, read_corpus, read_pairs
from seq2seq.data.filtering import keep_usable, require_some
from seq2seq.data.tokenized import Fingerprint, Pairs, StoredPairs, tokenize_once
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError, DataError
from seq2seq.evaluation.metrics import build_metric
from seq2seq.files import write_atomically
from seq2seq.training.processes import Processes
from seq2seq.training.streaming import PairStream

log = logging.getLogger(__name__)

Read = Callable[[], Iterator[tuple[str, str]]]
"""Starts reading the training pairs from the first."""


class TrainingData(NamedTuple):
    tokenizer: Tokenizer
    train: StoredPairs | PairStream
    validation: Pairs
    validation_text: Corpus


def prepare(config: Config, run: Path, processes: Processes, tokenizer: Tokenizer | None = None) -> TrainingData:
    """Read and tokenize the training and validation splits; train the tokenizer if the run has none and none is given.

    Leaves data.json in the run folder: per split the pairs read, kept and dropped, their tokens, and the SHA-256 of the
    text; and that of the tokenizer. When streaming it has nothing of the training split. Processes other than the
    first find what it left.

    Raises:
        DataError: A corpus cannot be read or has no usable pair, or the vocabulary cannot be learned.
        ConfigError: The target language cannot be scored, or the text or the tokenizer is not what the run began with.
        UserError: The tokenized corpus cannot be kept.
    """
    build_metric("bleu", config.data.target_language)  # fails now rather than at the first validation
    data = config.data
    read = partial(read_pairs, data.train, data, "train")
    validation = read_corpus(data.validation, data, "validation")
    if not any(source.strip() and target.strip() for source, target in zip(*validation, strict=True)):
        raise DataError("no usable pairs in the validation corpus: each has a blank side")
    found = Fingerprint()
    for _ in found.over(zip(*validation, strict=True)):
        pass
    description = {"validation": _describe_text(found)}
    if not data.streaming:
        description = {"train": _training_text(read, run, processes.is_main)} | description
    check_unchanged(run, description)
    tokenizer = _tokenizer(config, run, read, description, tokenizer)
    description["tokenizer"] = {"sha256": tokenizer.fingerprint}
    check_unchanged(run, description)
    for side, size in (("source", tokenizer.source_size), ("target", tokenizer.target_size)):
        smaller = size < config.tokenizer.vocabulary_size
        log.info("%s vocabulary: %d pieces%s", side, size, ", all that the text supports" if smaller else "")
    if data.streaming:
        train = PairStream(read, tokenizer, data, processes)
    else:
        train = _stored_pairs(config, run, read, tokenizer, description["train"])
    tokenized = Pairs(tokenizer.encode_source(validation.source), tokenizer.encode_target(validation.target))
    description["validation"] |= _describe_ids(tokenized.lengths)
    if processes.is_main:
        write_atomically(run / "data.json", json.dumps(description, indent=2) + "\n")
    return TrainingData(tokenizer, train, tokenized, validation)


def read_training_pairs(config: Config, run: Path, tokenizer: Tokenizer) -> StoredPairs:
    """The pairs that a run with this tokenizer trains on; in streaming those of its first buffer.

    Raises:
        As in `prepare`.
    """
    data = config.data
    read = partial(read_pairs, data.train, data, "train")
    if data.streaming:
        buffers = PairStream(read, tokenizer, data, Processes("cpu")).buffers(0, "")
        return next(buffer.pairs for buffer in buffers if len(buffer.pairs))
    description = {"train": _training_text(read, run, is_main=True), "tokenizer": {"sha256": tokenizer.fingerprint}}
    check_unchanged(run, description)
    return _stored_pairs(config, run, read, tokenizer, description["train"])


def _training_text(read: Read, run: Path, is_main: bool) -> dict[str, Any]:
    """Its size and fingerprint, by reading all of it; or as the first process has found them."""
    path = run / "data.json"
    if not is_main and path.exists():
        train = json.loads(path.read_text(encoding="utf-8"))["train"]
        return {"read": train["read"], "sha256": train["sha256"]}
    found = Fingerprint()
    for _ in tqdm(found.over(read()), "reading training text", unit="pair", delay=2, disable=None):
        pass
    return _describe_text(found)


def _tokenizer(
    config: Config, run: Path, read: Read, description: dict[str, Any], given: Tokenizer | None
) -> Tokenizer:
    if (run / "tokenizer").exists():
        return Tokenizer.load(run / "tokenizer")
    if given is not None:
        given.save(run / "tokenizer")
        return given
    limit = config.tokenizer.learn_from
    num_pairs = limit if config.data.streaming else description["train"]["read"]
    corpus = Corpus([], [])
    text = tqdm(islice(read(), num_pairs), "choosing text", num_pairs, unit="pair", delay=2, disable=None)
    for number, (source, target) in enumerate(text):
        if num_pairs <= limit or number * limit // num_pairs != (number - 1) * limit // num_pairs:  # evenly spaced
            corpus.source.append(source)
            corpus.target.append(target)
    log.info("learning the vocabulary from %d pairs", corpus.length)
    tokenizer = Tokenizer.train(config.tokenizer, corpus)
    tokenizer.save(run / "tokenizer")
    return tokenizer


def _stored_pairs(
    config: Config, run: Path, read: Read, tokenizer: Tokenizer, description: dict[str, Any]
) -> StoredPairs:
    """The pairs to train on; adds to the description what is known of them."""
    data = config.data
    folder = run.parent / ".cache" if data.cache is None else Path(data.cache)
    pairs = tokenize_once(read, tokenizer, description["sha256"], description["read"], folder, data.num_workers)
    kept, dropped = keep_usable(*pairs.lengths, data)
    require_some(len(kept), dropped, data)
    log.info(
        "training pairs: %d read, %d kept; dropped: %d with an empty side, %d over data.max_length=%d tokens, "
        "%d over data.max_length_ratio=%g",
        len(pairs), len(kept), dropped.empty, dropped.too_long, data.max_length, dropped.ratio, data.max_length_ratio,
    )  # fmt: skip
    pairs = pairs.keep(kept)
    description |= _describe_ids(pairs.lengths) | {"dropped": dropped._asdict()}
    return pairs


def _describe_text(found: Fingerprint) -> dict[str, Any]:
    return {"read": found.num_pairs, "sha256": found.sha256}


def _describe_ids(lengths: tuple[ArrayLike, ArrayLike]) -> dict[str, Any]:
    source, target = lengths
    return {"kept": np.size(source), "source_tokens": int(np.sum(source)), "target_tokens": int(np.sum(target))}


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
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path}: damaged; it tells what the run began with") from error
    for name, what in (("train", "training text"), ("validation", "validation text"), ("tokenizer", "tokenizer")):
        if name not in description:
            continue
        sha256, read = old.get(name, ("nothing", 0))
        now = description[name]
        if sha256 != now["sha256"]:
            counts = "" if read == now.get("read", 0) else f"; {read:,} pairs then, {now['read']:,} now"
            raise ConfigError(
                f"{run}: the {what} is not what this run began with (SHA-256 {sha256[:12]} then, "
                f"{now['sha256'][:12]} now{counts}): put it back, or train in another folder"
            )
