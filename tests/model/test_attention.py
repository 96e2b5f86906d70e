"""Contracts of the attention over every combination of its parts that makes sense."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from seq2seq.errors import ConfigError
from seq2seq.model.attention import Attention, Memory, NoAttention
from seq2seq.model.normalizers import NORMALIZERS
from seq2seq.model.scores import SCORES
from seq2seq.model.windows import WINDOWS

B, N, T, S, H = 2, 3, 5, 7, 12  # H is divisible by N; the others are different primes

PROJECTIONS = ["none", "query", "key", "query_key", "query_key_value"]


def combinations():
    """All of them; in the quick tests the projections' own part is tried with plain normalizer, window and coverage."""
    for score, normalizer, window, coverage in itertools.product(SCORES, NORMALIZERS, WINDOWS, [False, True]):
        is_plain = (normalizer, window, coverage) == ("softmax", "none", False)
        for heads, projection in [*itertools.product([1], PROJECTIONS), (N, "query_key_value")]:
            quick = is_plain or heads == N or projection == "query_key"
            values = (score, normalizer, window, heads, projection, coverage)
            yield pytest.param(*values, id="-".join(map(str, values)), marks=[] if quick else [pytest.mark.slow])


def make(
    score="additive", normalizer="softmax", window="none", heads=1, projection="query_key", coverage=False, **sizes
):
    size = sizes.pop("size", H)  # one size throughout, so that every score can compare unprojected vectors
    return Attention(
        sizes.pop("query_size", H), sizes.pop("state_size", H), score=score, normalizer=normalizer, window=window,
        window_size=2, num_heads=heads, projection=projection, coverage=coverage, size=size,
    )  # fmt: skip


def attend(attention, query, states, mask):
    """One query after the other, as a decoder does."""
    memory, state = attention.remember(states, mask), attention.first_state(mask)
    contexts, weights = [], []
    for t in range(query.size(1)):
        context, step_weights, state = attention(query[:, t : t + 1], memory, state)
        contexts.append(context)
        weights.append(step_weights)
    return torch.cat(contexts, dim=1), torch.cat(weights, dim=2), state


@pytest.mark.parametrize(("score", "normalizer", "window", "heads", "projection", "coverage"), list(combinations()))
def test_contract(score, normalizer, window, heads, projection, coverage):
    attention = make(score, normalizer, window, heads, projection, coverage)
    if coverage:
        torch.nn.init.normal_(attention.coverage_weight)
    if score == "cosine":
        torch.nn.init.zeros_(attention.score.log_beta)  # less sharp: where all weight is on one place no gradient flows
    states, query, mask = torch.randn(B, S, H), torch.randn(B, T, H), torch.arange(S) < torch.tensor([[S], [3]])
    query.requires_grad_()  # where attention has no parameter of its own

    # in training every parameter gets a gradient
    context, weights, _ = attend(attention, query, states, mask)
    context.square().sum().backward()
    assert query.grad is not None
    for name, parameter in attention.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name

    attention.eval()
    context, weights, state = attend(attention, query, states, mask)
    assert weights.shape == (B, heads, T, S)
    assert context.shape == (B, T, attention.context_size)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(B, heads, T))
    assert (weights[1, :, :, 3:] == 0).all()
    assert state.step.tolist() == [T] * B
    if coverage:
        torch.testing.assert_close(state.coverage, weights.sum(dim=2))

    # what stands in the padding changes nothing, nor does more of it, nor none
    padded_states = torch.cat([states.masked_fill(~mask.unsqueeze(2), 99.0), torch.full((B, 4, H), -99.0)], dim=1)
    padded_mask = torch.cat([mask, torch.zeros(B, 4, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(attend(attention, query, padded_states, padded_mask)[0], context)
    torch.testing.assert_close(attend(attention, query[1:], states[1:, :3], mask[1:, :3])[0], context[1:])

    # all queries at once give the same, where the steps do not depend on each other
    if not coverage:
        at_once = attention(query, attention.remember(states, mask), attention.first_state(mask))
        torch.testing.assert_close(at_once.context, context)
        torch.testing.assert_close(at_once.weights, weights)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    "normalizer", [name for name in NORMALIZERS if name != "hard"]
)  # whose gradient is an estimate
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("heads", [1, 3])
def test_gradcheck(score, normalizer, window, heads):
    attention = make(
        score, normalizer, window, heads, "query_key_value", True, query_size=6, state_size=6, size=6
    ).double()
    torch.nn.init.normal_(attention.coverage_weight)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    states = torch.randn(2, 3, 6, dtype=torch.double, requires_grad=True)
    query = torch.randn(2, 2, 6, dtype=torch.double, requires_grad=True)
    parameters = list(attention.parameters())
    assert torch.autograd.gradcheck(
        lambda states, query, *parameters: attend(attention, query, states, mask)[0],
        (states, query, *parameters),
        fast_mode=True,
    )


def test_attention_worked_out_by_hand():
    # query (2, -1); dots 4, -3, -1, -2, over sqrt 2; e to them 16.9188, 0.1199, 0.4931, 0.2431, together 17.7749
    attention = Attention(2, 2, score="scaled_dot", projection="none", size=2)
    memory = Memory(
        torch.tensor([[[[2.0, 0.0], [-1.0, 1.0], [-1.0, -1.0], [0.0, 2.0]]]]),
        torch.tensor([[[[0.0, 5.0], [3.0, 3.0], [4.0, 0.0], [1.0, 2.0]]]]),
        torch.ones(1, 4, dtype=torch.bool),
    )
    query = torch.tensor([[[2.0, -1.0]]])
    scores = attention.score(query.unsqueeze(1), memory.keys)
    context, weights, _ = attention(query, memory, attention.first_state(memory.mask))
    close = {"atol": 5e-5, "rtol": 0}
    torch.testing.assert_close(scores, torch.tensor([[[[2.8284, -2.1213, -0.7071, -1.4142]]]]), **close)
    torch.testing.assert_close(weights, torch.tensor([[[[0.9518, 0.0067, 0.0277, 0.0137]]]]), **close)
    # 3 x 0.0067 + 4 x 0.0277 + 1 x 0.0137; 5 x 0.9518 + 3 x 0.0067 + 2 x 0.0137
    torch.testing.assert_close(context, torch.tensor([[[0.1449, 4.8068]]]), **close)


def test_scaled_dot_heads_equal_torch_scaled_dot_product_attention():
    attention = make("scaled_dot", heads=3, projection="query_key_value", size=24)
    states, query, mask = torch.randn(B, S, H), torch.randn(B, T, H), torch.arange(S) < torch.tensor([[S], [3]])

    def heads(tensor):
        return tensor.view(B, -1, 3, 8).transpose(1, 2)

    expected = F.scaled_dot_product_attention(
        heads(attention.query_projection(query)),
        heads(attention.key_projection(states)),
        heads(attention.value_projection(states)),
        attn_mask=mask[:, None, None],
    )
    expected = attention.output_projection(expected.transpose(1, 2).reshape(B, T, 24))
    torch.testing.assert_close(attend(attention, query, states, mask)[0], expected)


def test_coverage_in_the_additive_score_equals_see_et_al():
    attention = make("additive", coverage=True)
    torch.nn.init.normal_(attention.coverage_weight)
    states, query, mask = torch.randn(1, S, H), torch.randn(1, T, H), torch.ones(1, S, dtype=torch.bool)
    _, weights, _ = attend(attention, query, states, mask)
    coverage = torch.zeros(S)
    for t in range(T):  # e = v . tanh(W_h h + W_s s + w_c c), equation 11
        features = attention.query_projection(query[0, t]) + attention.key_projection(states[0])
        features = features + torch.outer(coverage, attention.coverage_weight[0, 0])
        expected = torch.softmax(torch.tanh(features) @ attention.score.v[0, :, 0], dim=0)
        torch.testing.assert_close(weights[0, 0, t], expected)
        coverage = coverage + expected


def test_no_attention_gives_the_summary_at_every_step_and_no_weights():
    attention = NoAttention(H)
    states, summary, mask = torch.randn(B, S, H), torch.randn(B, H), torch.ones(B, S).bool()
    memory = attention.remember(states, mask, summary)
    context, weights, _ = attention(torch.randn(B, T, 13), memory, attention.first_state(mask))
    torch.testing.assert_close(context, summary.unsqueeze(1).expand(B, T, H))
    assert weights.shape == (B, 0, T, S)


OWN = """
import torch
from torch import nn

class Negated(nn.Module):
    def __init__(self, query_size, key_size, num_heads):
        super().__init__()
    def forward(self, query, keys):
        return -query @ keys.transpose(-1, -2)

class Even(nn.Module):
    def __init__(self, temperature):
        super().__init__()
    def forward(self, scores, mask):
        return mask.expand_as(scores) / mask.sum(dim=-1, keepdim=True)

class First(nn.Module):
    def __init__(self, query_size, half_width):
        super().__init__()
        self.half_width = half_width
    def forward(self, scores, mask, query, step):
        return scores, (mask & (torch.arange(mask.size(1)) < self.half_width))[:, None, None]
"""


def test_own_score_normalizer_and_window_by_import_path(tmp_path, monkeypatch):
    (tmp_path / "my_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    attention = make("my_parts:Negated", "my_parts:Even", "my_parts:First", projection="none")
    query, states, mask = torch.randn(B, T, H), torch.randn(B, S, H), torch.ones(B, S).bool()
    _, weights, _ = attend(attention, query, states, mask)
    torch.testing.assert_close(weights, torch.tensor([0.5] * 2 + [0.0] * 5).expand(B, 1, T, S))
    keys = torch.randn(B, 1, S, H)
    torch.testing.assert_close(
        attention.score(query.unsqueeze(1), keys), -SCORES["dot"](H, H, 1)(query.unsqueeze(1), keys)
    )


def test_values_are_rounded_once_where_products_are():
    attention, states, mask = make(projection="none", score="dot"), torch.randn(B, S, H), torch.ones(B, S).bool()
    assert torch.equal(attention.remember(states, mask).values[:, 0], states)
    with torch.autocast("cpu", torch.bfloat16):
        assert attention.remember(states, mask).values.dtype == torch.bfloat16


@pytest.mark.parametrize("score", ["bilinear", "concat", "cosine"])
@pytest.mark.parametrize("coverage", [False, True])
def test_keys_are_prepared_once_or_where_coverage_changes_them_at_each_step(score, coverage, monkeypatch):
    attention, plain = make(score, coverage=coverage), make(score)
    plain.load_state_dict(attention.state_dict(), strict=not coverage)  # coverage_weight is 0 at first
    query, states, mask, calls = torch.randn(B, T, H), torch.randn(B, S, H), torch.ones(B, S).bool(), []
    prepare = attention.score.prepare
    monkeypatch.setattr(attention.score, "prepare", lambda keys: calls.append(0) or prepare(keys))
    context, weights, _ = attend(attention, query, states, mask)
    assert len(calls) == (T if coverage else 1)
    expected_context, expected_weights, _ = attend(plain, query, states, mask)
    torch.testing.assert_close((context, weights), (expected_context, expected_weights))


@pytest.mark.parametrize("key", ["score", "normalizer", "window"])
@pytest.mark.parametrize("name", ["aditive", "no_such_module:Score", "math:Score"])
def test_unknown_part_is_refused_by_name(key, name):
    with pytest.raises(ConfigError, match=rf"model.attention.{key} is '{name}'"):
        make(**{key: name})
