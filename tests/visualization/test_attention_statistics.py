import math

import pytest
import torch

from seq2seq.visualization.attention_statistics import attention_statistics


def test_worked_by_hand():
    # one head, two target tokens over four source tokens: 1 bit and 1.75 bits
    (entropy, sharpness, nonzero) = attention_statistics(
        [torch.tensor([[[0.5, 0.5, 0.0, 0.0], [0.5, 0.25, 0.125, 0.125]]])]
    )
    assert entropy == pytest.approx((1 + 1.75) / 2)
    assert sharpness == pytest.approx(0.5)
    assert nonzero == pytest.approx((0.5 + 1) / 2)


def test_the_ends_of_the_scale():
    one, uniform = torch.eye(5)[None, :3], torch.full((1, 3, 5), 0.2)
    assert attention_statistics([one]) == pytest.approx((0, 1, 0.2))
    assert attention_statistics([uniform]) == pytest.approx((math.log2(5), 0.2, 1))


def test_every_row_counts_the_same():
    # three heads of one token, and two tokens of one head: 0 bits thrice, 1 bit twice
    sharp, even = torch.tensor([[[1.0, 0.0]]] * 3), torch.full((1, 2, 2), 0.5)
    assert attention_statistics([sharp, even]) == pytest.approx((2 / 5, (3 + 1) / 5, (1.5 + 2) / 5))


def test_a_row_that_a_window_has_shrunk_is_scaled_to_one():
    weights = torch.tensor([[[0.5, 0.25, 0.25, 0.0]]])
    assert attention_statistics([weights * 0.3]) == pytest.approx(attention_statistics([weights]))
    assert attention_statistics([torch.zeros(1, 1, 7)]) == pytest.approx((0, 0, 0))


def test_no_attention_and_blank_lines_have_none():
    assert attention_statistics([torch.zeros(0, 3, 5), torch.zeros(0, 0, 0)]) is None
    assert attention_statistics([torch.zeros(0, 0, 0), torch.ones(1, 2, 1)]) == pytest.approx((0, 1, 1))
