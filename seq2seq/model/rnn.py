"""Recurrent cells for the decoders that must go step by step.

A cell receives its input's share of the gates ready made, so that a decoder can compute the embeddings' share for all
steps in one product. The hidden state is always a tuple: (h,) for a GRU, (h, c) for an LSTM.
"""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.device import onednn_has_bfloat16
from seq2seq.model.activation import tanh
from seq2seq.model.dropout import Dropout

Hidden = tuple[Float[Tensor, "B L H"], ...]
Layers = list[tuple[Float[Tensor, "B H"], ...]]
"""The same layer by layer, as a loop over steps handles it."""


class GRUCell(nn.Module):
    """Gated recurrent unit, Cho et al. 2014, arXiv:1406.1078; reset after the product, as in `torch.nn.GRU`."""

    num_gates = 3
    num_states = 1

    def __init__(self, hidden_size: int):
        super().__init__()
        self.recurrent = nn.Linear(hidden_size, self.num_gates * hidden_size)

    def forward(
        self, gates: Float[Tensor, "B G"], hidden: tuple[Float[Tensor, "B H"], ...]
    ) -> tuple[Float[Tensor, "B H"], ...]:
        (h,) = hidden
        sizes = (2 * h.size(-1), h.size(-1))
        input_gates, input_candidate = gates.split(sizes, dim=-1)
        recurrent_gates, recurrent_candidate = self.recurrent(h).split(sizes, dim=-1)
        reset, update = torch.sigmoid(input_gates + recurrent_gates).chunk(2, dim=-1)
        candidate = tanh(torch.addcmul(input_candidate, reset, recurrent_candidate))
        return (torch.lerp(candidate.to(h.dtype), h, update.to(h.dtype)),)


class LSTMCell(nn.Module):
    """Long short-term memory, Hochreiter & Schmidhuber 1997, with a forget gate, as in `torch.nn.LSTM`."""

    num_gates = 4
    num_states = 2

    def __init__(self, hidden_size: int):
        super().__init__()
        self.recurrent = nn.Linear(hidden_size, self.num_gates * hidden_size)

    def forward(
        self, gates: Float[Tensor, "B G"], hidden: tuple[Float[Tensor, "B H"], ...]
    ) -> tuple[Float[Tensor, "B H"], ...]:
        h, c = hidden
        admit, forget, candidate, emit = (gates + self.recurrent(h)).chunk(4, dim=-1)
        c = torch.sigmoid(forget) * c + torch.sigmoid(admit) * tanh(candidate)
        return torch.sigmoid(emit) * tanh(c), c


class RecurrentStack(nn.Module):
    """One step through one or several layers of cells, with dropout between layers."""

    def __init__(self, cell: str, hidden_size: int, num_layers: int, dropout: float):
        super().__init__()
        self.make_cell = partial(CELLS[cell], hidden_size)
        self.cells = nn.ModuleList(self.make_cell() for _ in range(num_layers))
        self.hidden_size, self.gates_size = hidden_size, CELLS[cell].num_gates * hidden_size
        self.layer_gates = nn.ModuleList(nn.Linear(hidden_size, self.gates_size) for _ in range(num_layers - 1))
        self.dropout = Dropout(dropout)

    def forward(self, gates: Float[Tensor, "B G"], layers: Layers) -> Layers:
        """From the first layer's input share of the gates and all layers' hidden states to their new hidden states."""
        updated: Layers = []
        for index, cell in enumerate(self.cells):
            if index > 0:
                gates = self.layer_gates[index - 1](self.dropout(updated[-1][0]))
            updated.append(cell(gates, layers[index]))
        return updated


def run_sequence(rnn: nn.Module, inputs: Tensor, hidden: Any = None) -> tuple[Tensor, Any]:
    """Run torch's own RNN over a sequence.

    In float32 on a GPU, where autocast takes float16 whatever it is told, and on a CPU where oneDNN has no bfloat16,
    as its LSTM fails there.
    """
    device = inputs.device.type
    if not torch.is_autocast_enabled(device) or (device == "cpu" and onednn_has_bfloat16()):
        return rnn(inputs, hidden)
    with torch.autocast(device, enabled=False):
        return rnn(inputs.float(), hidden)


def split_layers(hidden: Hidden) -> Layers:
    return list(zip(*(part.unbind(dim=1) for part in hidden), strict=True))


def join_layers(layers: Layers) -> Hidden:
    return tuple(torch.stack(parts, dim=1) for parts in zip(*layers, strict=True))


RNNS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}
"""torch's own, which run whole sequences."""
CELLS: dict[str, type[GRUCell] | type[LSTMCell]] = {"gru": GRUCell, "lstm": LSTMCell}
