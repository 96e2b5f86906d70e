"""Which target pieces a source piece is likely to be translated by: a table learned from the training pairs, and the
shortlist of target pieces that a translation of some sentences may need."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.model_one import NULL, learn_alignments, ranked
from seq2seq.data.tokenized import StoredPairs
from seq2seq.data.tokenizer import EOS, Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.files import write_atomically
from seq2seq.tensor_files import pack_tensors, read_tensors


class Lexicon:
    """For each source piece its most likely translations, and the target pieces that any sentence may need.

    Args:
        translations: Target ids by source id, the likeliest first; rows with fewer are filled with EOS.
        frequent: The target pieces that stand in the training text most often.
    """

    def __init__(self, translations: Int[Tensor, "V K"], frequent: Int[Tensor, " F"]):
        self.translations, self.frequent = translations, frequent
        self._size = 1 + max(int(part.max()) for part in (translations, frequent, torch.tensor([EOS])) if part.numel())

    @classmethod
    def load(cls, path: Path, source_size: int, target_size: int) -> "Lexicon":
        """Read what `save` wrote, for vocabularies of these sizes.

        Raises:
            ConfigError: The file is missing, damaged, or made for other vocabularies.
        """
        try:
            tables = read_tensors(path)
        except FileNotFoundError as error:
            raise ConfigError(f"{path}: the lexical table is missing") from error
        if {name: (table.dtype, table.dim()) for name, table in tables.items()} != {
            "translations": (torch.int32, 2),
            "frequent": (torch.int32, 1),
        }:
            raise ConfigError(f"{path}: not a lexical table: expected integers, translations [V, K] and frequent [F]")
        ids = torch.cat([table.flatten() for table in tables.values()])
        if len(tables["translations"]) != source_size or ((ids < 0) | (ids >= target_size)).any():
            raise ConfigError(
                f"{path}: made for other vocabularies; those of this model have {source_size} source and "
                f"{target_size} target pieces"
            )
        return cls(tables["translations"], tables["frequent"])

    def save(self, path: Path) -> None:
        tables = {"translations": self.translations, "frequent": self.frequent}
        write_atomically(
            path, pack_tensors({name: table.to(torch.int32).contiguous() for name, table in tables.items()})
        )

    def shortlist(self, source: Int[Tensor, "..."]) -> Int[Tensor, " n"]:
        """The target ids that translations of these source ids may need, EOS among them, in rising order."""
        needed = torch.zeros(self._size, dtype=torch.bool)
        needed[EOS] = True
        needed[self.frequent.long()] = True
        needed[self.translations[source.unique().cpu()].long()] = True
        return needed.nonzero().squeeze(1)


def learn_lexicon(
    pairs: StoredPairs,
    tokenizer: Tokenizer,
    num_pairs: int,
    num_translations: int = 100,
    num_frequent: int = 100,
) -> Lexicon:
    """Learn the table from so many pairs, evenly spaced.

    A source piece's translations are the target pieces that it is aligned to most often (`learn_alignments`). Before
    them comes the target piece that is spelled like it, if there is one: names and numbers are copied.
    """
    chosen = np.unique(np.linspace(0, len(pairs) - 1, min(num_pairs, len(pairs))).astype(int))
    table = learn_alignments(pairs.keep(chosen), tokenizer.target_size)
    translations = torch.full((tokenizer.source_size, 1 + num_translations), EOS)
    index = {piece: i for i, piece in enumerate(tokenizer.target_pieces(range(tokenizer.target_size)))}
    for i, piece in enumerate(tokenizer.source_pieces(range(tokenizer.source_size))):
        if i > EOS:  # no control symbol
            translations[i, 0] = index.get(piece, EOS)
    source, target, rank = ranked(table, tokenizer.target_size)
    kept = (rank < num_translations) & (source != NULL)
    translations[source[kept], 1 + rank[kept]] = torch.from_numpy(target[kept])
    counts = np.bincount(table.keys % tokenizer.target_size, table.values)  # each token was shared out whole
    frequent = np.argsort(-counts, kind="stable")[: min(num_frequent, np.count_nonzero(counts))]
    return Lexicon(translations, torch.from_numpy(frequent))
