import math

import pytest
import torch

from seq2seq.errors import ConfigError
from seq2seq.model.scores import SCORES, Bilinear, Concat, Cosine, ScaledDot

B, N, T, S, D = 2, 3, 5, 7, 11  # different primes, so that no transposition passes


def scores_of(score, query, keys):
    """As attention calls it."""
    return score(query, score.prepare(keys) if hasattr(score, "prepare") else keys)


def plain_score(name, score, query, key, head):
    """The paper's equation for one query and one key, in plain numbers."""
    dot = sum(q * k for q, k in zip(query, key, strict=True))
    if name == "dot":
        return dot
    if name == "scaled_dot":
        return dot / math.sqrt(len(query))
    if name == "cosine":
        return math.exp(score.log_beta[head].item()) * dot / math.hypot(*query) / math.hypot(*key)
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
    torch.testing.assert_close(scores_of(score, query, keys), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["bilinear", "concat"])
def test_score_with_its_own_matrix_takes_unequal_sizes(name):
    score = SCORES[name](13, D, N)
    assert scores_of(score, torch.randn(B, N, T, 13), torch.randn(B, N, S, D)).shape == (B, N, T, S)


@pytest.mark.parametrize("name", ["additive", "dot", "scaled_dot", "cosine"])
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
    scores = scores_of(score, torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[5.0, 7.0]]]]))
    torch.testing.assert_close(scores, torch.tensor([[[[5.0]]]]))


def test_concat_equals_one_matrix_over_the_concatenation():
    score = Concat(13, D, 1)
    query, keys = torch.randn(B, 1, T, 13), torch.randn(B, 1, S, D)
    pairs = torch.cat([query.unsqueeze(3).expand(B, 1, T, S, 13), keys.unsqueeze(2).expand(B, 1, T, S, D)], dim=-1)
    matrix = torch.cat([score.query_weight[0], score.key_weight[0]])
    expected = (torch.tanh(pairs @ matrix) @ score.additive.v[0]).squeeze(-1)
    torch.testing.assert_close(scores_of(score, query, keys), expected, rtol=1e-4, atol=1e-5)


def test_cosine_worked_out_by_hand():
    score = Cosine(2, 2, 1)
    # query (3, 4) of length 5; keys (6, 8), (-4, 3), (0, -2): cosines 1, 0, -0.8, times beta 10
    scores = scores_of(score, torch.tensor([[[[3.0, 4.0]]]]), torch.tensor([[[[6.0, 8.0], [-4.0, 3.0], [0.0, -2.0]]]]))
    torch.testing.assert_close(scores.detach(), torch.tensor([[[[10.0, 0.0, -8.0]]]]))


def test_cosine_of_a_zero_vector_is_zero():
    assert (scores_of(Cosine(2, 2, 1), torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 3, 2)) == 0).all()
