import math

import pytest
import torch

from seq2seq.model.windows import WINDOWS, LocalMonotonic, LocalPredictive

B, N, T, S, H = 2, 3, 5, 7, 11
LENGTHS = [7, 3]


def inputs():
    mask = torch.arange(S) < torch.tensor(LENGTHS).unsqueeze(1)
    return torch.randn(B, N, T, S), mask, torch.randn(B, T, H), torch.tensor([0, 2])


def test_global_leaves_everything_as_it_is():
    scores, mask, query, step = inputs()
    left, left_mask = WINDOWS["none"](H, 2)(scores, mask, query, step)
    assert left is scores
    assert torch.equal(left_mask[:, 0, 0], mask)


@pytest.mark.parametrize("half_width", [1, 2, 10])
def test_monotonic_window_moves_with_the_target_step_and_stops_at_the_end(half_width):
    scores, mask, query, step = inputs()
    left, window = LocalMonotonic(H, half_width)(scores, mask, query, step)
    assert left is scores
    for b in range(B):
        for t in range(T):
            center = min(int(step[b]) + t, LENGTHS[b] - 1)
            expected = [abs(s - center) <= half_width and s < LENGTHS[b] for s in range(S)]
            assert window[b, 0, t].tolist() == expected


@pytest.mark.parametrize("half_width", [1, 3])
def test_predictive_window_equals_the_paper_written_as_loops(half_width):
    scores, mask, query, step = inputs()
    window = LocalPredictive(H, half_width)
    left, left_mask = window(scores, mask, query, step)
    left = left.detach()
    matrix, v = window.projection.weight.tolist(), window.v.weight[0].tolist()
    for b in range(B):
        for t in range(T):
            h = query[b, t].tolist()
            hidden = [math.tanh(sum(w * x for w, x in zip(row, h, strict=True))) for row in matrix]
            logit = sum(x * y for x, y in zip(v, hidden, strict=True))
            center = (LENGTHS[b] - 1) / (1 + math.exp(-logit))
            for s in range(S):
                assert bool(left_mask[b, 0, t, s]) == (abs(s - center) <= half_width and s < LENGTHS[b])
                gaussian = math.exp(-((s - center) ** 2) / (2 * (half_width / 2) ** 2))
                for n in range(N):
                    added = float((left - scores)[b, n, t, s])
                    assert math.exp(added) == pytest.approx(gaussian, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("half_width", [1, 5])
def test_no_window_is_empty_and_none_reaches_into_the_padding(name, half_width):
    window = WINDOWS[name](H, half_width)
    for length in (1, 2, S):
        mask = torch.arange(S) < torch.full((B, 1), length)
        for logit_scale in (1.0, 1000.0):  # 1000: the sigmoid at its ends
            _, left = window(torch.zeros(B, N, T, S), mask, logit_scale * torch.randn(B, T, H), torch.tensor([0, 30]))
            assert left.any(dim=-1).all()
            assert not (left & ~mask[:, None, None]).any()


def test_predicted_centers_stay_exact_for_half_precision_queries():
    window = LocalPredictive(H, 2)
    mask = torch.ones(1, 1001, dtype=torch.bool)
    scores = torch.zeros(1, 1, 1, 1001)
    with torch.autocast("cpu", torch.bfloat16):
        left, _ = window(scores, mask, torch.zeros(1, 1, H), torch.zeros(1, dtype=torch.long))
    assert int(left.argmax()) == 500  # sigmoid(0) = 1/2
