import pytest
import torch
from torch import nn

from seq2seq.model.rnn import CELLS, RecurrentStack, join_layers, split_layers

B, T, E, H, L = 2, 5, 3, 7, 3


@pytest.mark.parametrize("cell", CELLS)
def test_stack_stepped_equals_torch_over_the_sequence(cell):
    reference = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](E, H, L, batch_first=True)
    stack, first_gates = RecurrentStack(cell, H, L, dropout=0.0), nn.Linear(E, CELLS[cell].num_gates * H)
    with torch.no_grad():
        for layer in range(L):
            gates = first_gates if layer == 0 else stack.layer_gates[layer - 1]
            gates.weight.copy_(getattr(reference, f"weight_ih_l{layer}"))
            gates.bias.copy_(getattr(reference, f"bias_ih_l{layer}"))
            stack.cells[layer].recurrent.weight.copy_(getattr(reference, f"weight_hh_l{layer}"))
            stack.cells[layer].recurrent.bias.copy_(getattr(reference, f"bias_hh_l{layer}"))
    inputs, first = torch.randn(B, T, E), torch.randn(CELLS[cell].num_states, L, B, H)
    expected, last = reference(inputs, tuple(first) if cell == "lstm" else first[0])
    layers, tops = split_layers(tuple(part.transpose(0, 1) for part in first)), []
    for step in range(T):
        layers = stack(first_gates(inputs[:, step]), layers)
        tops.append(layers[-1][0])
    torch.testing.assert_close(torch.stack(tops, dim=1), expected)
    for mine, theirs in zip(join_layers(layers), last if cell == "lstm" else (last,), strict=True):
        torch.testing.assert_close(mine, theirs.transpose(0, 1))
