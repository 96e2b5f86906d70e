"""Attention = projection x score x window x normalizer x heads. Each is chosen by name, or is a class of your own."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq.model.normalizers import NORMALIZERS
from seq2seq.model.scores import SCORES
from seq2seq.model.windows import WINDOWS
from seq2seq.plugins import resolve


class Memory(NamedTuple):
    """What a decoder may look at: built once per source batch, passed as an argument."""

    keys: Float[Tensor, "B N S D"]
    """As the score takes them: projected and, unless coverage changes them at each step, prepared."""
    values: Float[Tensor, "B N S Dv"]
    mask: Bool[Tensor, "B S"]

    def reorder(self, index: Int[Tensor, " R"]) -> "Memory":
        """Take these rows, in this order; one may be taken several times."""
        return Memory(*(tensor.index_select(0, index) for tensor in self))


class AttentionState(NamedTuple):
    """What attention hands from one target step to the next."""

    step: Int[Tensor, " B"]
    """Target steps done."""
    coverage: Float[Tensor, "B N S"]
    """The weights of those steps added up; [B, 0, S] in an attention without coverage."""

    def reorder(self, index: Int[Tensor, " R"]) -> "AttentionState":
        return AttentionState(*(tensor.index_select(0, index) for tensor in self))


class Attended(NamedTuple):
    context: Float[Tensor, "B T C"]
    weights: Float[Tensor, "B N T S"]
    state: AttentionState


class Attention(nn.Module):
    """Looks a query up in a memory: context = sum of weights x values, weights = normalizer(score(query, keys)).

    With coverage each key is joined by the weights that its position has had so far: key + w_c x their sum. In the
    additive score that is See et al. 2017 (arXiv:1704.04368, equation 11), and Tu et al. 2016 (arXiv:1601.04811,
    section 3.1.1) with a fertility of one.

    Args:
        query_size: H, size of the decoder's state.
        state_size: M, size of the encoder's states, which become keys and values.
        score: A name in `SCORES`, or the import path of a class like those.
        normalizer: A name in `NORMALIZERS`, or the import path of a class like those.
        temperature: Scores are divided by it before they are normalized.
        window: A name in `WINDOWS`, or the import path of a class like those.
        window_size: D, source positions on either side of a window's center.
        projection: Which of query, keys and values pass through a learned matrix (W_Q, W_K, W_V).
        size: Width of what is projected, over all heads.

    Raises:
        ConfigError: The score cannot compare queries and keys of these sizes.
    """

    def __init__(
        self,
        query_size: int,
        state_size: int,
        *,
        score: str,
        projection: str,
        size: int,
        num_heads: int = 1,
        normalizer: str = "softmax",
        temperature: float = 1.0,
        window: str = "none",
        window_size: int = 10,
        coverage: bool = False,
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
        self.normalizer = resolve(normalizer, NORMALIZERS, "model.attention.normalizer")(temperature)
        self.window = resolve(window, WINDOWS, "model.attention.window")(query_size, window_size)
        self.coverage_weight = nn.Parameter(torch.zeros(num_heads, 1, head_key_size)) if coverage else None

    def remember(
        self, states: Float[Tensor, "B S M"], mask: Bool[Tensor, "B S"], summary: Float[Tensor, "B M"] | None = None
    ) -> Memory:
        """Project the encoder's states to keys and values. The summary is what a decoder without attention gets."""
        keys = self._split(self.key_projection(states))
        if self.coverage_weight is None:
            keys = self._prepared(keys)
        values = self._split(self.value_projection(states))
        device_type = states.device.type
        if torch.is_autocast_enabled(device_type):  # which would round them at each step
            values = values.to(torch.get_autocast_dtype(device_type))
        return Memory(keys, values, mask)

    def first_state(self, mask: Bool[Tensor, "B S"]) -> AttentionState:
        return _first_state(mask, 0 if self.coverage_weight is None else self.num_heads)

    def forward(self, query: Float[Tensor, "B T H"], memory: Memory, state: AttentionState) -> Attended:
        keys, coverage = memory.keys, state.coverage
        if self.coverage_weight is not None:
            assert query.size(1) == 1, "coverage grows step by step"
            keys = self._prepared(keys + (coverage.unsqueeze(-1) * self.coverage_weight).to(keys.dtype))
        scores = self.score(self._split(self.query_projection(query)), keys)
        weights = self.normalizer(*self.window(scores, memory.mask, query, state.step))
        heads = weights.to(memory.values.dtype) @ memory.values  # [B, N, T, Dv]
        if self.coverage_weight is not None:
            coverage = coverage + weights.squeeze(2)
        context = self.output_projection(heads.transpose(1, 2).flatten(2))
        return Attended(context, weights, AttentionState(state.step + query.size(1), coverage))

    def _prepared(self, keys: Float[Tensor, "B N S D"]) -> Float[Tensor, "B N S _"]:
        prepare = getattr(self.score, "prepare", None)  # a class of one's own may have none
        return keys if prepare is None else prepare(keys)

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

    def first_state(self, mask: Bool[Tensor, "B S"]) -> AttentionState:
        return _first_state(mask, 0)

    def forward(self, query: Float[Tensor, "B T H"], memory: Memory, state: AttentionState) -> Attended:
        context = memory.values[:, 0].expand(-1, query.size(1), -1)  # [B, T, M]
        weights = query.new_zeros(query.size(0), 0, query.size(1), memory.mask.size(1))
        return Attended(context, weights, state)


def _projection(input_size: int, output_size: int, learned: bool) -> nn.Module:
    return nn.Linear(input_size, output_size, bias=False) if learned else nn.Identity()


def _first_state(mask: Tensor, num_heads: int) -> AttentionState:
    step = torch.zeros(mask.size(0), dtype=torch.long, device=mask.device)
    return AttentionState(step, torch.zeros(mask.size(0), num_heads, mask.size(1), device=mask.device))
