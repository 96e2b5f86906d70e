"""What is drawn, in a picture or a terminal: the attention weights of one sentence, with their labels."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float


class Panel:
    """The attention of one sentence: for each head, one row a target piece over the source pieces.

    Args:
        source: Sentencepiece pieces, shown as `readable` says.
        target: Likewise.
        title: Stands above the panel.
        head_names: One for each head; by default "head 1", "head 2" ..., and none where there is one head only.

    Raises:
        ValueError: The weights do not fit the pieces or are not finite, or the names do not fit the heads.
    """

    def __init__(
        self,
        source: Sequence[str],
        target: Sequence[str],
        weights: Float[torch.Tensor | np.ndarray, "N T S"],
        title: str = "",
        head_names: Sequence[str] | None = None,
    ):
        array = torch.as_tensor(weights).detach().float().cpu().numpy()
        if array.ndim != 3 or array.shape[1:] != (len(target), len(source)) or array.size == 0:
            raise ValueError(
                f"weights have shape {tuple(array.shape)}, but there are {len(target)} target and {len(source)} source "
                "pieces; accepted: [..., target, source], none of them empty"
            )
        if not np.isfinite(array).all():
            raise ValueError("weights have values that are not finite")
        if head_names is None:
            head_names = [f"head {n}" for n in range(1, len(array) + 1)] if len(array) > 1 else []
        elif len(head_names) != len(array):
            raise ValueError(f"{len(head_names)} head names for {len(array)} heads: give one each")
        self.source, self.target, self.weights = list(source), list(target), array
        self.title, self.head_names = title, list(head_names)


def darkest(panels: Sequence[Panel]) -> float:
    """The weight drawn darkest: the largest of all, but at least 0.5, so that spread-out attention looks spread out."""
    return max(0.5, max(float(panel.weights.max()) for panel in panels))
