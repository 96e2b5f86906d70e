"""Embeddings that start from word vectors."""

import logging

import torch

from seq2seq.config import ModelConfig, VectorsConfig
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.data.vectors import read_vectors, require_width
from seq2seq.model.seq2seq import Seq2Seq

log = logging.getLogger(__name__)


def require_widths(config: ModelConfig) -> None:
    """Check that the files of word vectors are there, and fit the embeddings.

    Raises:
        DataError, ConfigError: One cannot be read, or has vectors of another width.
    """
    for path in (config.vectors.source, config.vectors.target):
        if path is not None:
            require_width(path, config.embedding_size)


def start_from_vectors(model: Seq2Seq, tokenizer: Tokenizer, config: VectorsConfig) -> None:
    """Put the vectors of the config's files into the embeddings; pieces without one keep their random start.

    Raises:
        DataError, ConfigError: A file cannot be read, or has no vector for any piece.
    """
    sides = (
        ("source", config.source, tokenizer.source_pieces(range(tokenizer.source_size)), model.source_embedding.weight),
        ("target", config.target, tokenizer.target_pieces(range(tokenizer.target_size)), model.target_embedding.weight),
    )
    for side, path, pieces, weight in sides:
        if path is None:
            continue
        ids, rows = read_vectors(path, pieces, weight.size(1))
        with torch.no_grad():
            weight[ids] = rows.to(weight)
        found = f"{len(ids):,} of {len(pieces):,} pieces found ({100 * len(ids) / len(pieces):.1f} %)"
        log.info("%s vectors %s: %s", side, path, found)
    frozen = [name for name, weight in model.named_parameters(remove_duplicate=False) if not weight.requires_grad]
    if frozen:
        log.info("frozen, with the random start of pieces without a vector: %s", ", ".join(frozen))
