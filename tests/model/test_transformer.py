import math

import pytest
import torch
from torch import nn

from seq2seq.model.transformer import TransformerEncoder, TransformerLayer, positional_encoding

B, S, E, M, F, N = 2, 7, 5, 12, 13, 3
MASK = torch.arange(S) < torch.tensor([[S], [3]])


def test_layer_equals_torch_transformer_encoder_layer():
    layer = TransformerLayer(M, N, F, dropout=0.0)
    theirs = nn.TransformerEncoderLayer(M, N, F, dropout=0.0, batch_first=True, norm_first=True).eval()
    attention = layer.attention
    with torch.no_grad():
        projections = [attention.query_projection, attention.key_projection, attention.value_projection]
        theirs.self_attn.in_proj_weight.copy_(torch.cat([projection.weight for projection in projections]))
        theirs.self_attn.in_proj_bias.zero_()
        theirs.self_attn.out_proj.weight.copy_(attention.output_projection.weight)
        theirs.self_attn.out_proj.bias.zero_()
        theirs.linear1.load_state_dict(layer.feedforward[0].state_dict())
        theirs.linear2.load_state_dict(layer.feedforward[3].state_dict())
    states = torch.randn(B, S, M)
    expected = theirs(states, src_key_padding_mask=~MASK)
    mine, weights = layer(states, MASK)
    torch.testing.assert_close(mine[MASK], expected[MASK])
    assert weights.shape == (B, N, S, S)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(B, N, S))


def test_positional_encoding_equals_its_equation():
    encoding = positional_encoding(S, M, torch.device("cpu"))
    for position in range(S):
        for feature in range(M):
            angle = position / 10000 ** (2 * (feature // 2) / M)
            expected = math.sin(angle) if feature % 2 == 0 else math.cos(angle)
            assert encoding[position, feature] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("input_size", [E, M])
def test_padding_changes_nothing(input_size):
    encoder = TransformerEncoder(input_size, M, 2, N, F, 0.0)
    embeddings = torch.randn(B, S, input_size)
    encoded = encoder(embeddings, MASK)
    assert encoded.states.shape == (B, S, M)
    assert encoded.layer_summaries.shape == (B, 1, M)
    assert encoded.weights.shape == (B, 2, N, S, S)
    longer = torch.cat([embeddings.masked_fill(~MASK.unsqueeze(2), 9.0), torch.full((B, 4, input_size), -9.0)], dim=1)
    padded = encoder(longer, torch.cat([MASK, torch.zeros(B, 4, dtype=torch.bool)], dim=1))
    torch.testing.assert_close(padded.states[:, :S][MASK], encoded.states[MASK])
    torch.testing.assert_close(padded.summary, encoded.summary)
    for row, length in enumerate(MASK.sum(dim=1).tolist()):
        torch.testing.assert_close(encoded.summary[row], encoded.states[row, :length].mean(dim=0))


def test_order_of_the_source_matters_by_position_alone():
    encoder = TransformerEncoder(E, M, 1, N, F, 0.0)
    embeddings, everything = torch.randn(1, S, E), torch.ones(1, S, dtype=torch.bool)
    forwards, backwards = encoder(embeddings, everything), encoder(embeddings.flip(1), everything)
    assert not torch.allclose(forwards.states, backwards.states.flip(1), atol=1e-3)
