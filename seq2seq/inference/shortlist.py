"""Search among the target pieces that a batch is likely to need, rather than the whole vocabulary."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seq2seq.data.lexicon import Lexicon
from seq2seq.data.tokenizer import EOS, Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.inference.ensemble import Shortlisted
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.search import search
from seq2seq.inference.trace import Hypothesis
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.sharing.model_folder import LEXICON


def read_lexicon(folder: Path | None, tokenizer: Tokenizer) -> Lexicon:
    """The table that `seq2seq lexicon` left beside a model.

    Raises:
        ConfigError: There is none, or it is damaged or of another vocabulary.
    """
    if folder is None or not (folder / LEXICON).exists():
        run = folder or "RUN"
        raise ConfigError(
            f"{run}: a shortlist needs {LEXICON}, which is not there: `seq2seq lexicon {run}` learns it from the "
            "run's training text"
        )
    return Lexicon.load(folder / LEXICON, tokenizer.source_size, tokenizer.target_size)


@torch.inference_mode()
def search_shortlist(
    models: Sequence[Seq2Seq],
    shortlist: Int[Tensor, " n"],
    source: Int[Tensor, "B S"],
    source_mask: Bool[Tensor, "B S"],
    options: SearchOptions,
    forbidden: Sequence[int] = (),
    prefixes: Sequence[Sequence[int]] | None = None,
) -> list[list[Hypothesis]]:
    """What `search` finds if there are no other target ids than these and those of the prefixes (L'Hostis et al. 2016,
    arXiv:1610.00072). Probabilities are shares among them, so a hypothesis scores somewhat higher than with them all.

    Args:
        shortlist: Ids that the batch's translations may need, as `Lexicon.shortlist` gives them.

    Raises:
        UserError: As in `search`.
    """
    prefixes = [[]] * source.size(0) if prefixes is None else prefixes
    # Control symbols come first and so keep their numbers: search need not know that the others have new ones.
    ids = sorted({*range(EOS + 1), *shortlist.tolist(), *(index for prefix in prefixes for index in prefix)})
    column = {index: n for n, index in enumerate(ids)}
    found = search(
        [Shortlisted(model, torch.tensor(ids, device=source.device)) for model in models],
        source,
        source_mask,
        options,
        [column[index] for index in forbidden if index in column],
        [[column[index] for index in prefix] for prefix in prefixes],
    )
    return [[one._replace(ids=[ids[n] for n in one.ids]) for one in hypotheses] for hypotheses in found]
