"""Attention = projection x score x normalizer x heads. Each is chosen by name; a new one is one class and one line."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.plugins import resolve


class Memory(NamedTuple):
    """What a decoder may look at: built once per source batch, passed as an argument."""

    keys: Float[Tensor, "B N S D"]
    values: Float[Tensor, "B N S Dv"]
    mask: Bool[Tensor, "B S"]

    def reorder(self, index: Tensor) -> "Memory":
        return Memory(*(tensor.index_select(0, index) for tensor in self))


# ---- scores: how well a query matches each key -------------------------------------------------------------------
# A score is built with the sizes of one head's query and key and the number of heads. It never sees masks or values.


class Additive(nn.Module):
    """score = v . tanh(query + key), Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2.

    The paper's W_a and U_a are the attention's query and key projections (`projection: query_key`).
    """

    def __init__(self, query_size: int, key_size: int, num_heads: int):
        super().__init__()
        _require_equal_sizes(self, query_size, key_size)
        self.v = nn.Parameter(torch.empty(num_heads, key_size, 1).uniform_(-1, 1) / math.sqrt(key_size))

    def forward(self, query: Float[Tensor, "B N T D"], keys: Float[Tensor, "B N S D"]) -> Float[Tensor, "B N T S"]:
        hidden = torch.tanh(query.unsqueeze(3) + keys.unsqueeze(2))  # [B, N, T, S, D]
        return (hidden.flatten(2, 3) @ self.v).view(hidden.shape[:-1])


class Dot(nn.Module):
    """score = query . key, Luong et al. 2015, arXiv:1508.04025, equation 8 (dot)."""

    def __init__(self, query_size: int, key_size: int, num_heads: int):
        super().__init__()
        _require_equal_sizes(self, query_size, key_size)

    def forward(self, query: Float[Tensor, "B N T D"], keys: Float[Tensor, "B N S D"]) -> Float[Tensor, "B N T S"]:
        return query @ keys.transpose(-1, -2)


class ScaledDot(Dot):
    """score = query . key / sqrt(D), Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1."""

    def forward(self, query: Float[Tensor, "B N T D"], keys: Float[Tensor, "B N S D"]) -> Float[Tensor, "B N T S"]:
        return super().forward(query / math.sqrt(query.size(-1)), keys)


class Bilinear(nn.Module):
    """score = query . W key, Luong et al. 2015, arXiv:1508.04025, equation 8 (general)."""

    def __init__(self, query_size: int, key_size: int, num_heads: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_heads, query_size, key_size).uniform_(-1, 1) / math.sqrt(query_size))

    def forward(self, query: Float[Tensor, "B N T Dq"], keys: Float[Tensor, "B N S Dk"]) -> Float[Tensor, "B N T S"]:
        return query @ self.weight @ keys.transpose(-1, -2)


class Concat(nn.Module):
    """score = v . tanh(W [query; key]), Luong et al. 2015, arXiv:1508.04025, equation 8 (concat).

    W's two halves are applied apart, which is the same sum. In a decoder that attends step by step the key's half is
    computed anew at each step; `additive` with `projection: query_key` is the same equation, and computes it once.
    """

    def __init__(self, query_size: int, key_size: int, num_heads: int):
        super().__init__()
        bound = math.sqrt(query_size + key_size)
        self.query_weight = nn.Parameter(torch.empty(num_heads, query_size, key_size).uniform_(-1, 1) / bound)
        self.key_weight = nn.Parameter(torch.empty(num_heads, key_size, key_size).uniform_(-1, 1) / bound)
        self.additive = Additive(key_size, key_size, num_heads)

    def forward(self, query: Float[Tensor, "B N T Dq"], keys: Float[Tensor, "B N S Dk"]) -> Float[Tensor, "B N T S"]:
        return self.additive(query @ self.query_weight, keys @ self.key_weight)


# ---- normalizers: from scores to a distribution over the real source positions -----------------------------------


def softmax(scores: Float[Tensor, "B N T S"], mask: Bool[Tensor, "B 1 1 S"]) -> Float[Tensor, "B N T S"]:
    """weights = exp(score) / sum of exp(score), in float32 at least."""
    precise = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return torch.softmax(precise.masked_fill(~mask, -torch.inf), dim=-1)


# ---- the attention itself ----------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Looks a query up in a memory: context = sum of weights x values, weights = normalizer(score(query, keys)).

    Args:
        query_size: H, size of the decoder's state.
        state_size: M, size of the encoder's states, which become keys and values.
        score: A name in `SCORES`, or the import path of a class like those.
        normalizer: A name in `NORMALIZERS`, or the import path of a function like those.
        projection: Which of query, keys and values pass through a learned matrix (W_Q, W_K, W_V).
        size: Width of what is projected, over all heads.

    Raises:
        ConfigError: The score cannot compare queries and keys of these sizes.
    """

    def __init__(
        self, query_size: int, state_size: int, score: str, normalizer: str, num_heads: int, projection: str, size: int
    ):
        super().__init__()
        projected = projection.split("_")
        self.num_heads = num_heads
        self.query_projection = _projection(query_size, size, "query" in projected)
        self.key_projection = _projection(state_size, size, "key" in projected)
        self.value_projection = _projection(state_size, size, "value" in projected)
        self.context_size = size if "value" in projected else state_size
        self.output_projection = _projection(self.context_size, self.context_size, num_heads > 1)
        head_query_size = (size if "query" in projected else query_size) // num_heads
        head_key_size = (size if "key" in projected else state_size) // num_heads
        self.score = resolve(score, SCORES, "model.attention.score")(head_query_size, head_key_size, num_heads)
        self.normalizer: Callable[[Tensor, Tensor], Tensor] = resolve(
            normalizer, NORMALIZERS, "model.attention.normalizer"
        )

    def remember(
        self, states: Float[Tensor, "B S M"], mask: Bool[Tensor, "B S"], summary: Float[Tensor, "B M"]
    ) -> Memory:
        """Project the encoder's states to keys and values. The summary is what a decoder without attention gets."""
        return Memory(self._split(self.key_projection(states)), self._split(self.value_projection(states)), mask)

    def forward(
        self, query: Float[Tensor, "B T H"], memory: Memory
    ) -> tuple[Float[Tensor, "B T C"], Float[Tensor, "B N T S"]]:
        scores = self.score(self._split(self.query_projection(query)), memory.keys)
        weights = self.normalizer(scores, memory.mask[:, None, None, :])
        heads = weights.to(memory.values.dtype) @ memory.values  # [B, N, T, Dv]
        return self.output_projection(heads.transpose(1, 2).flatten(2)), weights

    def _split(self, tensor: Float[Tensor, "B L _"]) -> Float[Tensor, "B N L D"]:
        return tensor.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class NoAttention(nn.Module):
    """The fixed context of Sutskever et al. 2014 (arXiv:1409.3215) and Cho et al. 2014 (arXiv:1406.1078): the encoder's
    last state is the context at every step. The bottleneck that attention removes; it has no heads, so no weights."""

    def __init__(self, state_size: int):
        super().__init__()
        self.context_size = state_size

    def remember(
        self, states: Float[Tensor, "B S M"], mask: Bool[Tensor, "B S"], summary: Float[Tensor, "B M"]
    ) -> Memory:
        keys = states[:, None, :, :0]  # [B, 1, S, 0], nothing to compare with
        return Memory(keys, summary[:, None, None], mask)

    def forward(
        self, query: Float[Tensor, "B T H"], memory: Memory
    ) -> tuple[Float[Tensor, "B T C"], Float[Tensor, "B 0 T S"]]:
        context = memory.values[:, 0].expand(-1, query.size(1), -1)  # [B, T, M]
        return context, query.new_zeros(query.size(0), 0, query.size(1), memory.mask.size(1))


def _projection(input_size: int, output_size: int, learned: bool) -> nn.Module:
    return nn.Linear(input_size, output_size, bias=False) if learned else nn.Identity()


def _require_equal_sizes(score: nn.Module, query_size: int, key_size: int) -> None:
    if query_size != key_size:
        raise ConfigError(
            f"model.attention.score: {type(score).__name__} compares vectors of one size, but a query has {query_size} "
            f"and a key {key_size}; project both (projection: query_key), or choose bilinear or concat"
        )


SCORES: dict[str, type[nn.Module]] = {
    "additive": Additive,
    "dot": Dot,
    "scaled_dot": ScaledDot,
    "bilinear": Bilinear,
    "concat": Concat,
}
NORMALIZERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"softmax": softmax}
