"""Scores: how well a query matches each key. Each is its parameters and one equation; it never sees masks or values.

A score is built with the sizes of one head's query and key and the number of heads. What it computes of keys alone may
stand in a second method, `prepare`; `forward` then gets what that returns, computed once for all target steps. B batch,
N heads, T queries, S keys, D size of a head.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.model.additive import additive_scores


class Additive(nn.Module):
    """score = v . tanh(query + key), Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2.

    The paper's W_a and U_a are the attention's query and key projections (`projection: query_key`).
    """

    def __init__(self, query_size: int, key_size: int, num_heads: int):
        super().__init__()
        _require_equal_sizes(self, query_size, key_size)
        self.v = nn.Parameter(torch.empty(num_heads, key_size, 1).uniform_(-1, 1) / math.sqrt(key_size))

    def forward(self, query: Float[Tensor, "B N T D"], keys: Float[Tensor, "B N S D"]) -> Float[Tensor, "B N T S"]:
        return additive_scores(query, keys, self.v)


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


class Cosine(Dot):
    """score = beta query . key / (|query| |key|), Graves et al. 2014, arXiv:1410.5401, equations 5 and 6.

    beta, an inverse temperature, is learned for each head as exp(log_beta). It starts from 10: a cosine is at most 1,
    and a softmax of such scores would be nearly even.
    """

    def __init__(self, query_size: int, key_size: int, num_heads: int):
        super().__init__(query_size, key_size, num_heads)
        self.log_beta = nn.Parameter(torch.full((num_heads, 1, 1), math.log(10.0)))

    def prepare(self, keys: Float[Tensor, "B N S D"]) -> Float[Tensor, "B N S D"]:
        return nn.functional.normalize(keys, dim=-1)

    def forward(self, query: Float[Tensor, "B N T D"], keys: Float[Tensor, "B N S D"]) -> Float[Tensor, "B N T S"]:
        return self.log_beta.exp() * super().forward(nn.functional.normalize(query, dim=-1), keys)


class Bilinear(nn.Module):
    """score = query . W key, Luong et al. 2015, arXiv:1508.04025, equation 8 (general)."""

    def __init__(self, query_size: int, key_size: int, num_heads: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_heads, query_size, key_size).uniform_(-1, 1) / math.sqrt(query_size))

    def prepare(self, keys: Float[Tensor, "B N S Dk"]) -> Float[Tensor, "B N S Dq"]:
        return _by_head(keys, self.weight.transpose(1, 2))

    def forward(self, query: Float[Tensor, "B N T Dq"], keys: Float[Tensor, "B N S Dq"]) -> Float[Tensor, "B N T S"]:
        return query @ keys.transpose(-1, -2)


class Concat(nn.Module):
    """score = v . tanh(W [query; key]), Luong et al. 2015, arXiv:1508.04025, equation 8 (concat).

    W's two halves are applied apart, which is the same sum; so is `additive` with `projection: query_key`.
    """

    def __init__(self, query_size: int, key_size: int, num_heads: int):
        super().__init__()
        bound = math.sqrt(query_size + key_size)
        self.query_weight = nn.Parameter(torch.empty(num_heads, query_size, key_size).uniform_(-1, 1) / bound)
        self.key_weight = nn.Parameter(torch.empty(num_heads, key_size, key_size).uniform_(-1, 1) / bound)
        self.additive = Additive(key_size, key_size, num_heads)

    def prepare(self, keys: Float[Tensor, "B N S Dk"]) -> Float[Tensor, "B N S Dk"]:
        return _by_head(keys, self.key_weight)

    def forward(self, query: Float[Tensor, "B N T Dq"], keys: Float[Tensor, "B N S Dk"]) -> Float[Tensor, "B N T S"]:
        return self.additive(_by_head(query, self.query_weight), keys)


def _by_head(vectors: Float[Tensor, "B N L D"], weight: Float[Tensor, "N D F"]) -> Float[Tensor, "B N L F"]:
    """Each head's vectors times its matrix: one product a head, where `@` would copy the matrix for each sentence."""
    return torch.einsum("bnld,ndf->bnlf", vectors, weight)


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
    "cosine": Cosine,
    "bilinear": Bilinear,
    "concat": Concat,
}
