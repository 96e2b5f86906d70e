import math

import pytest
import torch

from seq2seq.data.tokenizer import PAD
from seq2seq.model.seq2seq import OutputLayer
from seq2seq.training.loss import coverage_loss, token_loss


@pytest.fixture
def layer():
    layer = OutputLayer(torch.nn.Parameter(torch.randn(13, 7)))
    torch.nn.init.normal_(layer.bias)
    return layer


def loss_of(logits, targets, **settings):
    """Of a layer that gives what it is given."""
    layer = OutputLayer(torch.nn.Parameter(torch.eye(logits.size(1))))
    return float(token_loss(layer, logits, torch.tensor(targets), **settings).detach())


def test_sum_over_tokens_worked_out_by_hand():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    assert loss_of(logits, [1, 2]) == pytest.approx(-math.log(0.25) - math.log(0.8))


def test_label_smoothing_worked_out_by_hand():
    probabilities = [0.5, 0.25, 0.25]
    logits = torch.log(torch.tensor([probabilities]))
    smoothed = [0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3]
    expected = -sum(share * math.log(p) for share, p in zip(smoothed, probabilities, strict=True))
    assert loss_of(logits, [1], label_smoothing=0.1) == pytest.approx(expected)


def torch_loss(layer, output, targets, label_smoothing):
    logits = layer(output).float()
    return torch.nn.functional.cross_entropy(
        logits, targets, ignore_index=PAD, reduction="sum", label_smoothing=label_smoothing
    )


def loss_and_gradients(function, layer, output, targets, label_smoothing):
    layer.zero_grad()
    leaf = output.clone().requires_grad_()
    loss = function(layer, leaf, targets, label_smoothing)
    (loss / 3).backward()
    return [loss.detach(), leaf.grad, layer.weight.grad, layer.bias.grad]


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_loss_and_gradients_equal_torch_over_several_chunks(layer, label_smoothing, monkeypatch):
    monkeypatch.setattr("seq2seq.training.loss.CHUNK", 1000)
    output, targets = torch.randn(700, 7), torch.randint(0, 13, (700,))
    assert PAD in targets  # which counts for nothing
    given = (layer, output, targets, label_smoothing)
    torch.testing.assert_close(
        loss_and_gradients(token_loss, *given), loss_and_gradients(torch_loss, *given), rtol=1e-4, atol=1e-5
    )


def test_in_bfloat16_the_loss_is_in_float32_and_gradients_are_near(layer):
    given = (layer, torch.randn(700, 7), torch.randint(1, 13, (700,)), 0.1)
    exact = loss_and_gradients(torch_loss, *given)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss_and_gradients(token_loss, *given)
    assert {tensor.dtype for tensor in found} == {torch.float32}
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)


def test_a_frozen_output_layer_has_no_gradient(layer):
    layer.weight.requires_grad_(False)
    found = loss_and_gradients(token_loss, layer, torch.randn(5, 7), torch.randint(1, 13, (5,)), 0.0)
    assert found[2] is None
    assert (found[1] != 0).all()


def test_coverage_loss_worked_out_by_hand():
    # step 1: nothing covered yet, 0; step 2: min(0.5, 1) + min(0.5, 0) = 0.5; step 3: min(0.2, 1.5) + min(0.8, 0.5)
    weights = torch.tensor([[[[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]]]])
    assert float(coverage_loss(weights, torch.tensor([[True, True, True]]))) == pytest.approx(1.2)
    assert float(coverage_loss(weights, torch.tensor([[True, True, False]]))) == pytest.approx(0.5)
    two_heads = torch.cat([weights, torch.eye(2)[[0, 1, 1]][None, None]], dim=1)  # the second head: 0, 0, 1
    assert float(coverage_loss(two_heads, torch.tensor([[True, True, True]]))) == pytest.approx(1.1)
