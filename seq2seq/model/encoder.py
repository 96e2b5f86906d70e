"""The recurrent encoder: from source embeddings to one state a position."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq.model.dropout import Dropout
from seq2seq.model.rnn import RNNS, run_sequence


class Encoded(NamedTuple):
    states: Float[Tensor, "B S M"]
    """The top layer's states; directions side by side."""
    layer_summaries: Float[Tensor, "B L M"]
    """The whole source as one vector a layer: an RNN's state after its last token, each direction in its own reading
    order; of a Transformer one vector, the mean state of its top layer."""
    summary: Float[Tensor, "B M"]
    """The top layer's, treated as `states` are."""
    mask: Bool[Tensor, "B S"]
    weights: Float[Tensor, "B L N S S"]
    """Self-attention of each layer and head; L is 0 in an RNN."""

    @property
    def mean(self) -> Float[Tensor, "B M"]:
        return masked_mean(self.states, self.mask)


class RNNEncoder(nn.Module):
    """GRU or LSTM over the source, in one or two directions (Schuster & Paliwal 1997), in one or several layers.

    Padding never enters a state: the forward direction has not met it yet, and for the backward direction each row is
    flipped by its own length. That gives what `pack_padded_sequence` gives, and stays in the fast kernels on a CPU.
    """

    def __init__(
        self,
        input_size: int,
        cell: str,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
        layer_norm: bool,
    ):
        super().__init__()
        rnn = RNNS[cell]
        state_size = hidden_size * (2 if bidirectional else 1)
        sizes = [input_size] + [state_size] * (num_layers - 1)

        def direction() -> nn.ModuleList:
            return nn.ModuleList(rnn(size, hidden_size, batch_first=True) for size in sizes)

        self.num_layers = num_layers
        self.forward_layers = direction()
        self.backward_layers = direction() if bidirectional else None
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(state_size) if layer_norm else nn.Identity()

    def forward(self, embeddings: Float[Tensor, "B S E"], mask: Bool[Tensor, "B S"]) -> Encoded:
        lengths = mask.sum(dim=1)
        flip = _flip_index(lengths, mask.size(1))
        rows = torch.arange(mask.size(0), device=mask.device)
        states, last = embeddings, []
        for layer in range(self.num_layers):
            inputs = states if layer == 0 else self.dropout(states)
            output, _ = run_sequence(self.forward_layers[layer], inputs)
            outputs, finals = [output], [output[rows, lengths - 1]]
            if self.backward_layers:
                output, _ = run_sequence(self.backward_layers[layer], _flip(inputs, flip))
                outputs.append(_flip(output, flip))
                finals.append(output[rows, lengths - 1])
            states = torch.cat(outputs, dim=-1)
            last.append(torch.cat(finals, dim=-1))
        summary = self.dropout(self.norm(last[-1]))
        no_weights = embeddings.new_zeros(mask.size(0), 0, 0, mask.size(1), mask.size(1))
        return Encoded(self.dropout(self.norm(states)), torch.stack(last, dim=1), summary, mask, no_weights)


def masked_mean(states: Float[Tensor, "B S M"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B M"]:
    """Mean of the states over the real positions."""
    return (states * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True)


def _flip_index(lengths: Int[Tensor, " B"], size: int) -> Int[Tensor, "B S"]:
    """For each row, its real positions backwards; padding stays where it is."""
    positions = torch.arange(size, device=lengths.device)
    flipped = lengths.unsqueeze(1) - 1 - positions
    return torch.where(flipped >= 0, flipped, positions)


def _flip(tensor: Float[Tensor, "B S _"], index: Int[Tensor, "B S"]) -> Float[Tensor, "B S _"]:
    return tensor.gather(1, index.unsqueeze(-1).expand_as(tensor))
