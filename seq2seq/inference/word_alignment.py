"""Which word of the source a word of the translation looked at, from the attention weights of their pieces."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def align_words(
    weights: Float[Tensor, "N T S"], source_words: Sequence[int], target_words: Sequence[int]
) -> list[tuple[int, int]]:
    """For each word of the translation the source word with the most attention: pairs (source word, target word).

    A word's attention is the mean over heads and over its pieces; what a source word gets is the sum over its pieces. A
    word that looked at no word but only at </s> is in no pair.

    Args:
        weights: Their last row and column, those of </s>, are of no word.
        source_words: For each source piece the number of its word, from 0.
        target_words: For each piece of the translation.
    """
    if not weights.size(0) or not source_words or not target_words:
        return []
    looks = weights.mean(dim=0)[: len(target_words), : len(source_words)].double()  # [T, S]
    by_source = looks.new_zeros(len(target_words), max(source_words) + 1)
    by_source.index_add_(1, torch.tensor(source_words), looks)
    by_word = by_source.new_zeros(max(target_words) + 1, by_source.size(1))
    by_word.index_add_(0, torch.tensor(target_words), by_source)
    most, where = by_word.max(dim=1)
    return [(i, j) for j, (i, much) in enumerate(zip(where.tolist(), most.tolist(), strict=True)) if much > 0]


def words_of_pieces(pieces: Sequence[str], num_words: int) -> list[int]:
    """For each subword piece the number of its word, of so many in the text that they spell.

    A word begins with the mark of a space. Bytes may spell another kind of space, which nothing tells from a letter;
    the pieces behind it then count to a word too early.
    """
    words, text = [], ""
    for piece in pieces:
        text += piece.replace("▁", " ")
        words.append(min(max(len(text.split()) - 1, 0), max(num_words - 1, 0)))
    return words
