import pytest
import torch

from seq2seq.config import TrainingConfig
from seq2seq.training.optimizer import build_optimizer, learning_rate


def rates(schedule, warmup_steps=4, total=20):
    config = TrainingConfig(learning_rate=1.0, schedule=schedule, warmup_steps=warmup_steps)
    return [learning_rate(config, step, total) for step in range(1, total + 1)]


@pytest.mark.parametrize("schedule", ["constant", "inverse_sqrt", "linear", "cosine"])
def test_warmup_rises_linearly_to_the_rate(schedule):
    assert rates(schedule)[:4] == [0.25, 0.5, 0.75, 1.0]
    assert max(rates(schedule)) == pytest.approx(1.0)


def test_courses_after_the_warmup():
    assert rates("constant")[4:] == [1.0] * 16
    assert rates("inverse_sqrt")[15] == pytest.approx((4 / 16) ** 0.5)  # step 16
    assert rates("linear")[4] == pytest.approx(1.0)  # step 5: all 16 remaining steps are to come
    assert rates("linear")[12] == pytest.approx(0.5)  # step 13: 8 of 16
    assert rates("linear")[-1] == pytest.approx(1 / 16)
    assert rates("cosine")[12] == pytest.approx(0.5)
    assert 0 < rates("cosine")[-1] < 0.02


@pytest.mark.parametrize("schedule", ["constant", "inverse_sqrt", "linear", "cosine"])
def test_no_warmup(schedule):
    assert rates(schedule, warmup_steps=0)[0] == pytest.approx(1.0)


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_optimizer_has_the_configs_settings(name, kind):
    config = TrainingConfig(optimizer=name, betas=(0.8, 0.95), weight_decay=0.1)
    optimizer = build_optimizer(torch.nn.Linear(2, 3), config)
    assert type(optimizer) is kind
    assert optimizer.defaults["betas"] == (0.8, 0.95)
    assert optimizer.defaults["weight_decay"] == 0.1
