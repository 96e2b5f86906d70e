"""The additive score, whose gradient is written by hand: held to its equation and to what autograd makes of it."""

import pytest
import torch

from seq2seq.model.additive import additive_scores


def scores_by_equation(query, keys, v):
    hidden = torch.tanh(query.unsqueeze(3) + keys.unsqueeze(2))
    return (hidden * v.view(-1, 1, 1, v.size(1))).sum(dim=-1)


def tensors(*shapes, dtype=torch.float64):
    return [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("num_queries", [1, 7])
def test_additive_scores_and_their_gradient(num_queries):
    arguments = tensors((2, 3, num_queries, 5), (2, 3, 11, 5), (3, 5, 1))
    torch.testing.assert_close(additive_scores(*arguments), scores_by_equation(*arguments))
    assert torch.autograd.gradcheck(additive_scores, arguments)


def test_additive_scores_of_saturated_features():
    query, keys, v = tensors((1, 1, 1, 3), (1, 1, 2, 3), (1, 3, 1), dtype=torch.float32)
    scores = additive_scores(1e4 * query, 1e4 * keys, v)
    torch.testing.assert_close(scores, scores_by_equation(1e4 * query, 1e4 * keys, v))
    gradients = torch.autograd.grad(scores.sum(), [query, keys, v])
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_bfloat16_is_as_near_to_the_equation_as_autograd_is():
    rounded = [tensor.detach().bfloat16().requires_grad_() for tensor in tensors((13, 1, 1, 17), (13, 1, 11, 17))]
    rounded += tensors((1, 17, 1), dtype=torch.float32)
    exact = [tensor.detach().double().requires_grad_() for tensor in rounded]
    direction = torch.randn(13, 1, 1, 11, dtype=torch.float64)
    expected = scores_by_equation(*exact)
    expected_gradients = torch.autograd.grad((expected * direction).sum(), exact)

    def distances(function):
        result = function(*rounded)
        gradients = torch.autograd.grad((result.double() * direction).sum(), rounded)
        pairs = zip([result, *gradients], [expected, *expected_gradients], strict=True)
        return [((one.double() - other).norm() / other.norm()).item() for one, other in pairs]

    for ours, autograds in zip(distances(additive_scores), distances(scores_by_equation), strict=True):
        assert ours < max(2 * autograds, 1e-2)
