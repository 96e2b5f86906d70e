import math

import pytest
import torch

from seq2seq.data.tokenizer import PAD
from seq2seq.training.loss import coverage_loss, cross_entropy


def test_sum_over_tokens_worked_out_by_hand():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    assert float(cross_entropy(logits, torch.tensor([1, 2]))) == pytest.approx(-math.log(0.25) - math.log(0.8))


def test_label_smoothing_worked_out_by_hand():
    probabilities = [0.5, 0.25, 0.25]
    logits = torch.log(torch.tensor([probabilities]))
    smoothed = [0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3]
    expected = -sum(share * math.log(p) for share, p in zip(smoothed, probabilities, strict=True))
    assert float(cross_entropy(logits, torch.tensor([1]), label_smoothing=0.1)) == pytest.approx(expected)


def test_half_precision_logits_are_summed_in_float32():
    loss = cross_entropy(torch.zeros(3, 5, dtype=torch.bfloat16), torch.tensor([1, 2, 3]))
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(3 * math.log(5))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_loss_and_gradient_equal_torch_over_several_chunks(label_smoothing):
    logits, targets = torch.randn(700, 13), torch.randint(0, 13, (700,))
    assert PAD in targets  # which counts for nothing
    results = []
    for function in (
        cross_entropy,
        lambda *a: torch.nn.functional.cross_entropy(*a[:2], ignore_index=PAD, reduction="sum", label_smoothing=a[2]),
    ):
        leaf = logits.clone().requires_grad_()
        loss = function(leaf, targets, label_smoothing)
        (loss / 3).backward()
        results.append((loss.detach(), leaf.grad))
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-6)


def test_coverage_loss_worked_out_by_hand():
    # step 1: nothing covered yet, 0; step 2: min(0.5, 1) + min(0.5, 0) = 0.5; step 3: min(0.2, 1.5) + min(0.8, 0.5)
    weights = torch.tensor([[[[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]]]])
    assert float(coverage_loss(weights, torch.tensor([[True, True, True]]))) == pytest.approx(1.2)
    assert float(coverage_loss(weights, torch.tensor([[True, True, False]]))) == pytest.approx(0.5)
    two_heads = torch.cat([weights, torch.eye(2)[[0, 1, 1]][None, None]], dim=1)  # the second head: 0, 0, 1
    assert float(coverage_loss(two_heads, torch.tensor([[True, True, True]]))) == pytest.approx(1.1)
