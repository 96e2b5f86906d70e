"""Operations with a gradient written by hand: equal to their equation and to what autograd makes of it."""

import pytest
import torch
from torch import nn

from seq2seq.model.fused import additive_scores, gru_update
from seq2seq.model.rnn import run_sequence


def scores_by_equation(query, keys, v):
    hidden = torch.tanh(query.unsqueeze(3) + keys.unsqueeze(2))
    return (hidden * v.view(-1, 1, 1, v.size(1))).sum(dim=-1)


def gru_by_equation(inputs, recurrent, h):
    size = h.size(1)
    reset = torch.sigmoid(inputs[:, :size] + recurrent[:, :size])
    update = torch.sigmoid(inputs[:, size : 2 * size] + recurrent[:, size : 2 * size])
    candidate = torch.tanh(inputs[:, 2 * size :] + reset * recurrent[:, 2 * size :])
    return (1 - update) * candidate + update * h


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


def test_gru_update_and_its_gradient():
    arguments = tensors((5, 21), (5, 21), (5, 7))
    torch.testing.assert_close(gru_update(*arguments), gru_by_equation(*arguments))
    assert torch.autograd.gradcheck(gru_update, arguments)


@pytest.mark.parametrize("operation", ["scores", "gru"])
def test_bfloat16_is_as_near_to_float32_as_autograd_is(operation):
    if operation == "scores":
        fused, equation, arguments = (additive_scores, scores_by_equation, tensors((13, 1, 1, 17), (13, 1, 11, 17)))
        kept = tensors((1, 17, 1), dtype=torch.float32)
    else:
        fused, equation, arguments = gru_update, gru_by_equation, tensors((13, 51), (13, 51))
        kept = tensors((13, 17), dtype=torch.float32)
    rounded = [argument.detach().bfloat16().requires_grad_() for argument in arguments] + kept
    exact = [argument.detach().double().requires_grad_() for argument in rounded]
    expected = equation(*exact)
    direction = torch.randn_like(expected)
    expected_gradients = torch.autograd.grad((expected * direction).sum(), exact)

    def distance(function):
        result = function(*rounded)
        gradients = torch.autograd.grad((result.double() * direction).sum(), rounded)
        pairs = zip([result, *gradients], [expected, *expected_gradients], strict=True)
        return [((one.double() - other).norm() / other.norm()).item() for one, other in pairs]

    for ours, autograds in zip(distance(fused), distance(equation), strict=True):
        assert ours < max(2 * autograds, 1e-2)


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("with_start", [True, False])
def test_our_gru_over_a_sequence_is_that_of_torch(num_layers, with_start):
    gru = nn.GRU(5, 7, num_layers, batch_first=True).double()
    inputs, start = tensors((3, 11, 5), (num_layers, 3, 7))
    start = start if with_start else None
    results = []
    for run in (run_sequence, lambda rnn, *arguments: rnn(*arguments)):
        states, last = run(gru, inputs, start)
        loss = (states * torch.linspace(-1, 1, 7)).sum() + last.pow(2).sum()
        results.append([states, last, *torch.autograd.grad(loss, [inputs, *gru.parameters()])])
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs)


def test_dropout_between_the_layers_of_a_sequence():
    gru = nn.GRU(5, 7, 2, batch_first=True, dropout=0.5)
    inputs = torch.randn(3, 11, 5)
    assert not torch.equal(run_sequence(gru, inputs)[0], run_sequence(gru, inputs)[0])
    gru.eval()
    assert torch.equal(run_sequence(gru, inputs)[0], run_sequence(gru, inputs)[0])
