"""The decoders: what happens at a target step, and in which order attention and recurrence take turns.

`forward` runs any number of steps from a state. Training calls it with the whole target sequence, search with one step
at a time; everything that does not depend on the step before stays outside the loop.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq.model.activation import tanh
from seq2seq.model.attention import Attended, Attention, AttentionState, Memory, NoAttention
from seq2seq.model.dropout import Dropout
from seq2seq.model.encoder import Encoded
from seq2seq.model.rnn import CELLS, RNNS, Hidden, Layers, RecurrentStack, join_layers, run_sequence, split_layers


class DecoderState(NamedTuple):
    """What one step hands to the next."""

    hidden: Hidden
    """(h,) of a GRU or (h, c) of an LSTM, each [B, L, H]."""
    feed: Float[Tensor, "B O"]
    """The attentional vector that input feeding passes on; [B, 0] in decoders without."""
    attention: AttentionState

    def reorder(self, index: Int[Tensor, " R"]) -> "DecoderState":
        """Take these rows, in this order; one may be taken several times."""
        hidden = tuple(part.index_select(0, index) for part in self.hidden)
        return DecoderState(hidden, self.feed.index_select(0, index), self.attention.reorder(index))


class Decoded(NamedTuple):
    output: Float[Tensor, "B T O"]
    state: DecoderState
    weights: Float[Tensor, "B N T S"]


class Bridge(nn.Module):
    """The decoder's first hidden state, from what the encoder saw.

    `zeros`; `last`, an RNN encoder's last states layer by layer; `mean`, the mean of the encoder's states in every
    layer (Sennrich et al. 2017, arXiv:1703.04357); `projection`, tanh of a learned projection of the layers' summaries,
    an RNN's last states (Bahdanau et al. 2015, appendix A.2.2). With `last` and `mean` an LSTM's cell starts from the
    same vector as its h.
    """

    def __init__(self, kind: str, cell: str, num_summaries: int, state_size: int, num_layers: int, hidden_size: int):
        super().__init__()
        self.kind = kind
        self.shape = (CELLS[cell].num_states, num_layers, hidden_size)
        num_features = CELLS[cell].num_states * num_layers * hidden_size
        self.projection = nn.Linear(num_summaries * state_size, num_features) if kind == "projection" else None

    def forward(self, encoded: Encoded) -> Hidden:
        num_states, num_layers, _ = self.shape
        precise = torch.promote_types(encoded.states.dtype, torch.float32)  # states add up over many steps
        if self.projection is not None:
            features = tanh(self.projection(encoded.layer_summaries.flatten(1)).to(precise))
            hidden = features.unflatten(1, self.shape).unbind(dim=1)
        elif self.kind == "last":
            hidden = (encoded.layer_summaries,) * num_states
        elif self.kind == "mean":
            hidden = (encoded.mean.unsqueeze(1).expand(-1, num_layers, -1),) * num_states
        else:
            hidden = (encoded.states.new_zeros(encoded.states.size(0), *self.shape[1:]),) * num_states
        return tuple(part.to(precise) for part in hidden)


class Readout(nn.Module):
    """output = tanh(W [parts]), the vector that the output layer multiplies."""

    def __init__(self, input_size: int, output_size: int, dropout: float, layer_norm: bool):
        super().__init__()
        self.linear = nn.Linear(input_size, output_size)
        self.norm = nn.LayerNorm(output_size) if layer_norm else nn.Identity()
        self.dropout = Dropout(dropout)

    def forward(self, *parts: Tensor) -> Tensor:
        narrowest = min(
            (part.dtype for part in parts), key=lambda dtype: dtype.itemsize
        )  # the product's, sooner copied
        joined = torch.cat([part.to(narrowest) for part in parts], dim=-1)
        return self.dropout(tanh(self.norm(self.linear(joined))))


class BahdanauDecoder(nn.Module):
    """Attend with the previous hidden state, then update on [embedding; context], then read out state, context and
    embedding. Bahdanau et al. 2015, arXiv:1409.0473, appendix A.2.2; the readout is tanh instead of maxout."""

    def __init__(
        self,
        bridge: Bridge,
        attention: Attention | NoAttention,
        stack: RecurrentStack,
        embedding_size: int,
        output_size: int,
        dropout: float,
        layer_norm: bool,
    ):
        super().__init__()
        self.bridge, self.attention, self.stack = bridge, attention, stack
        self.embedding_gates = nn.Linear(embedding_size, stack.gates_size)
        self.context_gates = nn.Linear(attention.context_size, stack.gates_size, bias=False)
        input_size = stack.hidden_size + attention.context_size + embedding_size
        self.readout = Readout(input_size, output_size, dropout, layer_norm)

    def first_state(self, encoded: Encoded) -> DecoderState:
        no_feed = encoded.states.new_zeros(encoded.states.size(0), 0)
        return DecoderState(self.bridge(encoded), no_feed, self.attention.first_state(encoded.mask))

    def forward(self, embeddings: Float[Tensor, "B T E"], state: DecoderState, memory: Memory) -> Decoded:
        layers, attention_state = split_layers(state.hidden), state.attention
        states, contexts, weights = [], [], []
        for gates in self.embedding_gates(embeddings).unbind(dim=1):  # all steps in one product
            layers, (context, step_weights, attention_state) = self.step(gates, layers, memory, attention_state)
            states.append(layers[-1][0])
            contexts.append(context)
            weights.append(step_weights)
        output = self.readout(torch.stack(states, dim=1), torch.cat(contexts, dim=1), embeddings)
        last = DecoderState(join_layers(layers), state.feed, attention_state)
        return Decoded(output, last, torch.cat(weights, dim=2))

    def step(
        self, gates: Float[Tensor, "B G"], layers: Layers, memory: Memory, state: AttentionState
    ) -> tuple[Layers, Attended]:
        """From an embedding's share of the gates and the hidden states to the new ones, and what attention found."""
        attended = self.attention(layers[-1][0].unsqueeze(1), memory, state)
        return self.stack(gates + self.context_gates(attended.context.squeeze(1)), layers), attended


class ConditionalDecoder(BahdanauDecoder):
    """Two updates a step with attention between them: the first on the embedding, whose state is the query; the second
    on the context. The conditional GRU of Sennrich et al. 2017 (Nematus), arXiv:1703.04357, section 2, with either
    cell; further layers stand on the second update."""

    def __init__(self, bridge: Bridge, attention: Attention | NoAttention, stack: RecurrentStack, **settings: Any):
        super().__init__(bridge, attention, stack, **settings)
        self.first_cell = stack.make_cell()

    def step(
        self, gates: Float[Tensor, "B G"], layers: Layers, memory: Memory, state: AttentionState
    ) -> tuple[Layers, Attended]:
        between = self.first_cell(gates, layers[0])
        attended = self.attention(between[0].unsqueeze(1), memory, state)
        return self.stack(self.context_gates(attended.context.squeeze(1)), [between, *layers[1:]]), attended


class InputFeedingDecoder(nn.Module):
    """Update on [embedding; previous attentional vector], attend with the new hidden state, combine state and context
    to the attentional vector. Luong et al. 2015, arXiv:1508.04025, sections 3 and 3.3."""

    def __init__(
        self,
        bridge: Bridge,
        attention: Attention | NoAttention,
        stack: RecurrentStack,
        embedding_size: int,
        output_size: int,
        dropout: float,
        layer_norm: bool,
    ):
        super().__init__()
        self.bridge, self.attention, self.stack = bridge, attention, stack
        self.embedding_gates = nn.Linear(embedding_size, stack.gates_size)
        self.feed_gates = nn.Linear(output_size, stack.gates_size, bias=False)
        self.readout = Readout(stack.hidden_size + attention.context_size, output_size, dropout, layer_norm)

    def first_state(self, encoded: Encoded) -> DecoderState:
        feed = encoded.states.new_zeros(encoded.states.size(0), self.feed_gates.in_features)
        return DecoderState(self.bridge(encoded), feed, self.attention.first_state(encoded.mask))

    def forward(self, embeddings: Float[Tensor, "B T E"], state: DecoderState, memory: Memory) -> Decoded:
        layers, feed, attention_state = split_layers(state.hidden), state.feed, state.attention
        outputs, weights = [], []
        for gates in self.embedding_gates(embeddings).unbind(dim=1):  # all steps in one product
            layers = self.stack(gates + self.feed_gates(feed), layers)
            context, step_weights, attention_state = self.attention(layers[-1][0].unsqueeze(1), memory, attention_state)
            feed = self.readout(layers[-1][0], context.squeeze(1))
            outputs.append(feed)
            weights.append(step_weights)
        last = DecoderState(join_layers(layers), feed, attention_state)
        return Decoded(torch.stack(outputs, dim=1), last, torch.cat(weights, dim=2))


class LuongDecoder(nn.Module):
    """Luong et al. 2015 without input feeding: nothing in the recurrence depends on attention, so that the whole
    sequence runs through each layer in one call and all queries attend at once."""

    def __init__(
        self,
        bridge: Bridge,
        attention: Attention | NoAttention,
        cell: str,
        hidden_size: int,
        num_layers: int,
        embedding_size: int,
        output_size: int,
        dropout: float,
        layer_norm: bool,
    ):
        super().__init__()
        self.bridge, self.attention = bridge, attention
        sizes = [embedding_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(RNNS[cell](size, hidden_size, batch_first=True) for size in sizes)
        self.dropout = Dropout(dropout)  # cuDNN's own, between layers, has a random state that no checkpoint holds
        self.readout = Readout(hidden_size + attention.context_size, output_size, dropout, layer_norm)

    def first_state(self, encoded: Encoded) -> DecoderState:
        no_feed = encoded.states.new_zeros(encoded.states.size(0), 0)
        return DecoderState(self.bridge(encoded), no_feed, self.attention.first_state(encoded.mask))

    def forward(self, embeddings: Float[Tensor, "B T E"], state: DecoderState, memory: Memory) -> Decoded:
        states, layers = embeddings, []
        for index, (rnn, hidden) in enumerate(zip(self.layers, split_layers(state.hidden), strict=True)):
            inputs = states if index == 0 else self.dropout(states)
            first = tuple(part.unsqueeze(0).contiguous() for part in hidden)  # [1, B, H]
            is_lstm = len(first) == 2
            states, last = run_sequence(rnn, inputs, first if is_lstm else first[0])
            layers.append(tuple(part.squeeze(0) for part in (last if is_lstm else (last,))))
        context, weights, attention_state = self.attention(states, memory, state.attention)
        next_state = DecoderState(join_layers(layers), state.feed, attention_state)
        return Decoded(self.readout(states, context), next_state, weights)
