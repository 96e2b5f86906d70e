"""The hyperbolic tangent of search is the exact one but for the last digit, and training has the exact one."""

import pytest
import torch

from seq2seq.model.activation import tanh


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_without_a_gradient_it_is_near(dtype):
    x = torch.cat([torch.linspace(-20, 20, 100_026), torch.tensor([-torch.inf, -1e30, -1e-10, 0.0, 1e30, torch.inf])])
    x = x.to(dtype)
    with torch.no_grad():
        found = tanh(x)
    assert found.dtype == dtype
    assert torch.equal(found, torch.tanh(x)) == (dtype != torch.float32)
    tolerance = 2e-7 if dtype == torch.float32 else 0.0
    torch.testing.assert_close(found, torch.tanh(x), rtol=0, atol=tolerance)


def test_what_is_no_number_stays_none():
    with torch.no_grad():
        assert tanh(torch.full((32,), torch.nan)).isnan().all()


def test_its_argument_stays_as_it_is():
    x = torch.linspace(-2, 2, 32)
    before = x.clone()
    with torch.no_grad():
        tanh(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("size", [5, 32, 50, 64, 512])
def test_a_row_does_not_depend_on_its_company(size):
    rows = torch.randn(40, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together = tanh(rows)
        assert all(torch.equal(tanh(rows[:count]), together[:count]) for count in range(1, 40))
        assert all(torch.equal(tanh(row), found) for row, found in zip(rows, together, strict=True))


def test_training_has_the_exact_one():
    x = torch.linspace(-3, 3, 1024)
    assert torch.equal(tanh(x), torch.tanh(x))
