import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from seq2seq.errors import ConfigError
from seq2seq.model.attention import NORMALIZERS, SCORES, Attention, Bilinear, Concat, NoAttention, ScaledDot, softmax

B, N, T, S, D = 2, 3, 5, 7, 11  # different primes, so that no transposition passes


def plain_score(name, score, query, key, head):
    """The paper's equation for one query and one key, in plain numbers."""
    dot = sum(q * k for q, k in zip(query, key, strict=True))
    if name == "dot":
        return dot
    if name == "scaled_dot":
        return dot / math.sqrt(len(query))
    if name == "bilinear":
        weight = score.weight[head].tolist()
        return sum(query[i] * weight[i][j] * key[j] for i in range(len(query)) for j in range(len(key)))
    if name == "concat":
        size = range(len(key))
        query_weight, key_weight = score.query_weight[head].tolist(), score.key_weight[head].tolist()
        query = [sum(query[i] * query_weight[i][j] for i in range(len(query))) for j in size]
        key = [sum(key[i] * key_weight[i][j] for i in size) for j in size]
        score = score.additive
    return sum(v * math.tanh(q + k) for v, q, k in zip(score.v[head, :, 0].tolist(), query, key, strict=True))


@pytest.mark.parametrize("name", SCORES)
def test_score_equals_its_equation_written_as_loops(name):
    score = SCORES[name](D, D, N)
    query, keys = torch.randn(B, N, T, D), torch.randn(B, N, S, D)
    expected = torch.tensor(
        [
            [
                [
                    [plain_score(name, score, query[b, n, t].tolist(), keys[b, n, s].tolist(), n) for s in range(S)]
                    for t in range(T)
                ]
                for n in range(N)
            ]
            for b in range(B)
        ]
    )
    torch.testing.assert_close(score(query, keys), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["bilinear", "concat"])
def test_score_with_its_own_matrix_takes_unequal_sizes(name):
    assert SCORES[name](13, D, N)(torch.randn(B, N, T, 13), torch.randn(B, N, S, D)).shape == (B, N, T, S)


@pytest.mark.parametrize("name", ["additive", "dot", "scaled_dot"])
def test_score_that_needs_equal_sizes_says_so(name):
    with pytest.raises(ConfigError, match=rf"score: {SCORES[name].__name__} compares .* query has 13 and a key {D}"):
        SCORES[name](13, D, N)


def test_scaled_dot_worked_out_by_hand():
    # query (1, 2); keys (3, 0), (0, 1), (1, 1): dots 3, 2, 3, over sqrt(2)
    scores = ScaledDot(2, 2, 1)(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[3.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]]))
    torch.testing.assert_close(scores, torch.tensor([[[[3.0, 2.0, 3.0]]]]) / 2**0.5)


def test_bilinear_worked_out_by_hand():
    score = Bilinear(2, 2, 1)
    with torch.no_grad():
        score.weight.copy_(torch.tensor([[[1.0, 2.0], [0.0, -1.0]]]))
    # query W = (1*1 + 2*0, 1*2 + 2*-1) = (1, 0); with key (5, 7): 5
    torch.testing.assert_close(
        score(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[5.0, 7.0]]]])), torch.tensor([[[[5.0]]]])
    )


@pytest.mark.parametrize("name", NORMALIZERS)
def test_normalizer_gives_distributions_over_real_positions(name):
    mask = torch.arange(S) < torch.tensor([[S], [3]])
    weights = NORMALIZERS[name](torch.randn(B, N, T, S), mask[:, None, None])
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(B, N, T))
    assert (weights[1, :, :, 3:] == 0).all()


@pytest.mark.parametrize("name", NORMALIZERS)
def test_masked_equals_truncated(name):
    scores = torch.randn(B, N, T, S)
    mask = (torch.arange(S) < 3).expand(B, 1, 1, S)
    weights = NORMALIZERS[name](scores, mask)[..., :3]
    torch.testing.assert_close(weights, NORMALIZERS[name](scores[..., :3], mask[..., :3]))


def test_softmax_stays_finite_and_float32_for_large_half_precision_scores():
    scores = torch.tensor([[[[300.0, 296.0]]]], dtype=torch.bfloat16)
    weights = softmax(scores, torch.ones(1, 1, 1, 2, dtype=torch.bool))
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
    assert weights[0, 0, 0, 0] > weights[0, 0, 0, 1]


def make_attention(score, heads, projection, query_size=12, state_size=12, size=24):
    return Attention(query_size, state_size, score, "softmax", heads, projection, size)


SETTINGS = [
    *itertools.product(SCORES, [1], ["none", "query_key", "query_key_value"]),
    *itertools.product(SCORES, [3], ["query_key_value"]),
]


@pytest.mark.parametrize(("score", "heads", "projection"), SETTINGS)
def test_attention_contract(score, heads, projection):
    attention = make_attention(score, heads, projection)
    states, query, mask = torch.randn(B, S, 12), torch.randn(B, T, 12), torch.arange(S) < torch.tensor([[S], [3]])
    query.requires_grad_()  # where attention has no parameter of its own
    memory = attention.remember(states, mask, states[:, 0])
    context, weights = attention(query, memory)
    assert weights.shape == (B, heads, T, S)
    assert context.shape == (B, T, attention.context_size)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(B, heads, T))
    # what stands in the padding changes nothing, nor does more of it
    padded_states = torch.cat([states.masked_fill(~mask.unsqueeze(2), 99.0), torch.full((B, 4, 12), -99.0)], dim=1)
    padded_mask = torch.cat([mask, torch.zeros(B, 4, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(
        attention(query, attention.remember(padded_states, padded_mask, states[:, 0]))[0], context
    )
    # one query at a time gives the same
    step, _ = attention(query[:, 2:3], memory)
    torch.testing.assert_close(step, context[:, 2:3])
    context.square().sum().backward()
    assert query.grad is not None
    for name, parameter in attention.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("score", "heads", "projection"), SETTINGS)
def test_attention_gradcheck(score, heads, projection):
    attention = make_attention(score, heads, projection, 6, 6, 6).double()
    mask = torch.tensor([[True, True, True], [True, True, False]])

    def context(states, query):
        return attention(query, attention.remember(states, mask, states[:, 0]))[0]

    states = torch.randn(2, 3, 6, dtype=torch.double, requires_grad=True)
    query = torch.randn(2, 2, 6, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(context, (states, query))


def test_scaled_dot_heads_equal_torch_scaled_dot_product_attention():
    attention = make_attention("scaled_dot", 3, "query_key_value")
    states, query, mask = torch.randn(B, S, 12), torch.randn(B, T, 12), torch.arange(S) < torch.tensor([[S], [3]])

    def heads(tensor):
        return tensor.view(B, -1, 3, 8).transpose(1, 2)

    expected = F.scaled_dot_product_attention(
        heads(attention.query_projection(query)),
        heads(attention.key_projection(states)),
        heads(attention.value_projection(states)),
        attn_mask=mask[:, None, None],
    )
    expected = attention.output_projection(expected.transpose(1, 2).reshape(B, T, 24))
    torch.testing.assert_close(attention(query, attention.remember(states, mask, states[:, 0]))[0], expected)


def test_concat_equals_one_matrix_over_the_concatenation():
    score = Concat(13, D, 1)
    query, keys = torch.randn(B, 1, T, 13), torch.randn(B, 1, S, D)
    pairs = torch.cat([query.unsqueeze(3).expand(B, 1, T, S, 13), keys.unsqueeze(2).expand(B, 1, T, S, D)], dim=-1)
    matrix = torch.cat([score.query_weight[0], score.key_weight[0]])
    expected = (torch.tanh(pairs @ matrix) @ score.additive.v[0]).squeeze(-1)
    torch.testing.assert_close(score(query, keys), expected, rtol=1e-4, atol=1e-5)


def test_no_attention_gives_the_summary_at_every_step_and_no_weights():
    attention = NoAttention(12)
    states, summary = torch.randn(B, S, 12), torch.randn(B, 12)
    context, weights = attention(torch.randn(B, T, 13), attention.remember(states, torch.ones(B, S).bool(), summary))
    torch.testing.assert_close(context, summary.unsqueeze(1).expand(B, T, 12))
    assert weights.shape == (B, 0, T, S)


def test_own_score_by_import_path(tmp_path, monkeypatch):
    (tmp_path / "my_scores.py").write_text(
        "from torch import nn\n"
        "class Negated(nn.Module):\n"
        "    def __init__(self, query_size, key_size, num_heads):\n"
        "        super().__init__()\n"
        "    def forward(self, query, keys):\n"
        "        return -query @ keys.transpose(-1, -2)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    attention = make_attention("my_scores:Negated", 1, "none")
    query, keys = torch.randn(B, 1, T, 12), torch.randn(B, 1, S, 12)
    torch.testing.assert_close(attention.score(query, keys), -SCORES["dot"](12, 12, 1)(query, keys))


@pytest.mark.parametrize("name", ["aditive", "no_such_module:Score", "math:Score"])
def test_unknown_score_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=rf"model.attention.score is '{name}'"):
        make_attention(name, 1, "none")
