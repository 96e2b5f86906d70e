"""From a config to what the loop needs: corpora read, tokenizer trained or loaded, everything as ids."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2seq.config import Config
from seq2seq.data.corpus import Corpus, keep_usable, read_corpus
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.inference.evaluation import build_metric

log = logging.getLogger(__name__)


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

    Raises:
        DataError: A corpus cannot be read or has no usable pair, or the vocabulary cannot be learned.
        ConfigError: The target language cannot be scored.
    """
    build_metric("bleu", config.data.target_language)  # fails now rather than at the first validation
    train = read_corpus(config.data.train, config.data, "train")
    validation = read_corpus(config.data.validation, config.data, "validation")
    if (run / "tokenizer").exists():
        tokenizer = Tokenizer.load(run / "tokenizer")
    else:
        tokenizer = Tokenizer.train(config.tokenizer, train)
        tokenizer.save(run / "tokenizer")
    pairs = Pairs(tokenizer.encode_source(train.source), tokenizer.encode_target(train.target))
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
    return TrainingData(
        tokenizer,
        pairs.select(kept),
        Pairs(tokenizer.encode_source(validation.source), tokenizer.encode_target(validation.target)),
        validation,
    )
