import pytest
import torch

from seq2seq.model.dropout import Dropout

P = 0.3


@pytest.fixture
def dropout():
    return Dropout(P)


def test_share_and_mean(dropout):
    count = 200_003  # not a multiple of four
    dropped = dropout(torch.ones(count))
    share = (dropped == 0).double().mean().item()
    assert share == pytest.approx(P, abs=4 * (P * (1 - P) / count) ** 0.5)
    assert dropped[dropped != 0].unique().item() == pytest.approx(1 / (1 - P), rel=2**-15)


def test_neighbours_are_dropped_independently(dropout):
    """Four numbers share a draw of 64 bits."""
    groups = (dropout(torch.ones(4 * 50_000)) == 0).double().view(-1, 4)
    correlation = torch.corrcoef(groups.T) - torch.eye(4)
    assert correlation.abs().max() < 4 / 50_000**0.5


def test_a_seed_repeats_it_and_a_second_draw_differs(dropout):
    inputs = torch.randn(7, 11, 13)
    torch.manual_seed(5)
    first, second = dropout(inputs), dropout(inputs)
    torch.manual_seed(5)
    assert torch.equal(dropout(inputs), first)
    assert not torch.equal(first, second)


def test_gradient_is_the_same_mask(dropout):
    inputs = torch.randn(7, 11, requires_grad=True)
    dropped = dropout(inputs)
    dropped.sum().backward()
    torch.testing.assert_close(inputs.grad * inputs.detach(), dropped.detach())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_format_is_kept(dropout, dtype):
    assert dropout(torch.ones(3, 5, dtype=dtype)).dtype == dtype


def test_leaves_all_alone_outside_training(dropout):
    inputs = torch.randn(3, 5)
    assert dropout.eval()(inputs) is inputs
    assert Dropout(0.0)(inputs) is inputs


def test_probability_just_below_one_leaves_numbers():
    dropped = Dropout(1 - 2**-20)(torch.ones(100_000))
    assert dropped.isfinite().all()
    assert (dropped == 0).double().mean() > 0.999
