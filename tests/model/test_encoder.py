import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.model.encoder import RNNEncoder

B, S, E, H = 3, 7, 5, 11
LENGTHS = [7, 2, 5]


def make(cell, num_layers, bidirectional, dropout=0.0, layer_norm=False):
    return RNNEncoder(E, cell, H, num_layers, bidirectional, dropout, layer_norm)


def mask(size=S):
    return torch.arange(size) < torch.tensor(LENGTHS).unsqueeze(1)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_equals_torch_with_packed_sequences(cell, num_layers, bidirectional):
    encoder = make(cell, num_layers, bidirectional)
    reference = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](E, H, num_layers, batch_first=True, bidirectional=bidirectional)
    with torch.no_grad():
        for layer in range(num_layers):
            for directions, suffix in [(encoder.forward_layers, ""), (encoder.backward_layers, "_reverse")][
                : 2 if bidirectional else 1
            ]:
                rnn = directions[layer]
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    getattr(reference, f"{kind}_l{layer}{suffix}").copy_(getattr(rnn, f"{kind}_l0"))
    embeddings = torch.randn(B, S, E)
    packed = pack_padded_sequence(embeddings, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    expected, last = reference(packed)
    expected, _ = pad_packed_sequence(expected, batch_first=True)
    last = last[0] if cell == "lstm" else last
    directions = 2 if bidirectional else 1
    encoded = encoder(embeddings, mask())
    torch.testing.assert_close(encoded.states * mask().unsqueeze(2), expected)
    expected_last = last.view(num_layers, directions, B, H).permute(2, 0, 1, 3).flatten(2)
    torch.testing.assert_close(encoded.layer_summaries, expected_last)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_padding_changes_nothing(layer_norm):
    encoder = make("gru", 2, True, layer_norm=layer_norm)
    embeddings = torch.randn(B, S, E)
    encoded = encoder(embeddings, mask())
    longer = torch.cat([embeddings.masked_fill(~mask().unsqueeze(2), 9.0), torch.full((B, 4, E), -9.0)], dim=1)
    padded = encoder(longer, mask(S + 4))
    torch.testing.assert_close(padded.states[:, :S] * mask().unsqueeze(2), encoded.states * mask().unsqueeze(2))
    torch.testing.assert_close(padded.layer_summaries, encoded.layer_summaries)
    torch.testing.assert_close(padded.mean, encoded.mean)


def test_mean_is_over_real_positions():
    encoded = make("gru", 1, True)(torch.randn(B, S, E), mask())
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(encoded.mean[row], encoded.states[row, :length].mean(dim=0))
