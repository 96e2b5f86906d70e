import math

import pytest
import torch

from seq2seq.model.normalizers import NORMALIZERS, Entmax15, Hard, Softmax, Sparsemax

B, N, T, S = 2, 3, 5, 7


def everywhere(scores):
    return torch.ones(scores.size(0), 1, 1, scores.size(-1), dtype=torch.bool)


def one_row(normalizer, scores):
    row = torch.tensor([[scores]])[None]
    return normalizer(row, everywhere(row))[0, 0, 0]


def plain_softmax(scores):
    exponentials = [math.exp(score) for score in scores]
    return [value / sum(exponentials) for value in exponentials]


def plain_sparsemax(scores):
    """Algorithm 1 of Martins & Astudillo: the largest k with 1 + k z_k > sum of the k highest, then z - tau above 0."""
    ordered = sorted(scores, reverse=True)
    k = max(k for k in range(1, len(scores) + 1) if 1 + k * ordered[k - 1] > sum(ordered[:k]))
    tau = (sum(ordered[:k]) - 1) / k
    return [max(score - tau, 0.0) for score in scores]


def plain_entmax15(scores):
    """max(z / 2 - tau, 0) ** 2, with the tau for which it sums to one, by bisection."""
    low, high = max(scores) / 2 - 1, max(scores) / 2
    for _ in range(100):
        tau = (low + high) / 2
        total = sum(max(score / 2 - tau, 0.0) ** 2 for score in scores)
        low, high = (tau, high) if total > 1 else (low, tau)
    return [max(score / 2 - low, 0.0) ** 2 for score in scores]


def plain_hard(scores):
    return [1.0 if score == max(scores) else 0.0 for score in scores]


PLAIN = {"softmax": plain_softmax, "sparsemax": plain_sparsemax, "entmax15": plain_entmax15, "hard": plain_hard}


@pytest.mark.parametrize("name", NORMALIZERS)
@pytest.mark.parametrize("temperature", [1.0, 0.4])
def test_equals_its_definition_in_plain_numbers(name, temperature):
    normalizer = NORMALIZERS[name](temperature).eval()
    for scores in torch.randn(20, S).tolist():
        expected = torch.tensor(PLAIN[name]([score / temperature for score in scores]))
        torch.testing.assert_close(one_row(normalizer, scores), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NORMALIZERS)
def test_gives_distributions_over_what_the_mask_leaves(name, training):
    mask = torch.rand(B, 1, T, S) < 0.5
    mask[..., 2] = True
    weights = NORMALIZERS[name](1.0).train(training)(3 * torch.randn(B, N, T, S), mask)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(B, N, T))
    assert (weights >= 0).all()
    assert (weights.masked_select(~mask.expand_as(weights)) == 0).all()


@pytest.mark.parametrize("name", NORMALIZERS)
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_masked_equals_truncated(name, scale):
    scores = scale * torch.randn(B, N, T, S)
    mask = (torch.arange(S) < 3).expand(B, 1, 1, S)
    normalizer = NORMALIZERS[name](1.0).eval()
    torch.testing.assert_close(normalizer(scores, mask)[..., :3], normalizer(scores[..., :3], mask[..., :3]))


@pytest.mark.parametrize("name", NORMALIZERS)
def test_half_precision_scores_are_normalized_in_float32(name):
    scores = torch.tensor([[[[300.0, 296.0]]]], dtype=torch.bfloat16)
    weights = NORMALIZERS[name](1.0).eval()(scores, everywhere(scores))
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
    assert weights[0, 0, 0, 0] > weights[0, 0, 0, 1]


@pytest.mark.parametrize("name", ["softmax", "sparsemax", "entmax15"])
def test_gradcheck_with_a_mask(name):
    normalizer = NORMALIZERS[name](0.7)
    mask = torch.tensor([True, False, True, True, True])[None, None, None]
    scores = torch.randn(1, 2, 3, 5, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda scores: normalizer(scores, mask), scores)


def test_worked_out_by_hand():
    # softmax of ln 1, ln 2, ln 5: 1, 2 and 5 eighths
    torch.testing.assert_close(
        one_row(Softmax(1.0), [0.0, math.log(2), math.log(5)]), torch.tensor([0.125, 0.25, 0.625])
    )
    # sparsemax of 0.1, 1.1, 0.7: the threshold (1.1 + 0.7 - 1) / 2 = 0.4 leaves two
    torch.testing.assert_close(one_row(Sparsemax(1.0), [0.1, 1.1, 0.7]), torch.tensor([0.0, 0.7, 0.3]))
    # entmax of 0, 0, -4: the first two alike, tau = -sqrt(1/2), and -2 lies below it
    torch.testing.assert_close(one_row(Entmax15(1.0), [0.0, 0.0, -4.0]), torch.tensor([0.5, 0.5, 0.0]))


def test_hard_draws_positions_as_often_as_softmax_says_and_is_one_hot():
    torch.manual_seed(1)
    scores = torch.tensor([1.0, 0.0, 2.0, -torch.inf]).log_softmax(0).expand(1, 1, 20000, 4)
    mask = torch.tensor([True, True, True, False])[None, None, None]
    for temperature in (1.0, 0.3):  # of the relaxation: the draws do not depend on it
        weights = Hard(temperature)(scores, mask)
        assert set(weights.unique().tolist()) == {0.0, 1.0}
        torch.testing.assert_close(
            weights.mean(dim=(0, 1, 2)), torch.softmax(torch.tensor([1.0, 0.0, 2.0, -torch.inf]), 0), atol=0.01, rtol=0
        )


def test_hard_passes_the_gradient_of_its_relaxation():
    scores = torch.randn(1, 1, 1, 5, requires_grad=True)
    direction = torch.randn(5)
    torch.manual_seed(3)
    (Hard(0.5)(scores, everywhere(scores)) * direction).sum().backward()
    hard_gradient, scores.grad = scores.grad, None
    torch.manual_seed(3)
    noise = -torch.empty(1, 1, 1, 5).exponential_().log()
    (torch.softmax((scores + noise) / 0.5, dim=-1) * direction).sum().backward()
    torch.testing.assert_close(hard_gradient, scores.grad)
