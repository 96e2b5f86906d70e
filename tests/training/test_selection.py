"""Averages of weights, schedules that look at validations, and when training ends."""

import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from seq2seq.training import selection
from seq2seq.training.state import Scores
from seq2seq.training.step import train_step
from seq2seq.training.stopping import StopSignals
from seq2seq.training.validation import Validation


def test_scores_are_ranked_by_the_metric_then_by_loss():
    one, other = Scores(bleu=10.0, chrf=30.0, loss=2.0), Scores(bleu=11.0, chrf=29.0, loss=2.5)
    assert other.better_than(one, "bleu")
    assert one.better_than(other, "chrf")
    assert one.better_than(other, "loss")
    assert Scores(10.0, 30.0, 1.0).better_than(one, "bleu")
    assert not one.better_than(one, "bleu")
    assert one.better_than(Scores(), "loss")


@pytest.fixture
def validated(training, monkeypatch):
    """Trains with validations whose scores are given; returns the learning rates of the steps."""

    def run(scores, *settings):
        given = iter(scores)
        monkeypatch.setattr(selection, "validate", lambda *_: Validation(*next(given), ["x"] * 50, []))
        rates = []

        def recorded(state, batches, num_tokens, rate):
            rates.append(rate)
            return train_step(state, batches, num_tokens, rate)

        monkeypatch.setattr("seq2seq.training.loop.train_step", recorded)
        monkeypatch.setattr(selection, "plot_curves", lambda *_: None)  # half a second each
        progress = training("run", "training.validate_every=1", "training.learning_rate=0.01", *settings)
        return progress, rates

    return run


def test_plateau_halves_the_rate_after_stale_validations(validated):
    #          best       stale      stale, falls  best       stale      stale, falls
    scores = [(2.0, 1.0, 1.0), (2.1, 1.0, 1.0), (2.1, 1.0, 1.0), (1.9, 2.0, 1.0), (2.0, 2.0, 1.0), (2.0, 2.0, 1.0),
              (2.0, 2.0, 1.0)]  # fmt: skip
    progress, rates = validated(scores, "training.schedule=plateau", "training.max_steps=7")
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.005, 0.005, 0.0025])
    assert (progress.rate_factor, progress.plateau_validations, progress.stale_validations) == (0.25, 1, 3)


@pytest.mark.parametrize(("metric", "end"), [("bleu", 3), ("chrf", 4), ("loss", 5)])
def test_early_stopping_by_each_metric(validated, metric, end):
    """Two validations after the best by that metric, which is the first, second or third."""
    scores = [(2.0, 9.0, 5.0), (1.9, 8.0, 6.0), (1.8, 8.0, 5.0), (1.9, 8.0, 5.0), (2.0, 8.0, 5.0), (2.0, 8.0, 5.0)]
    progress, _ = validated(scores, f"training.early_stopping_metric={metric}", "training.patience=2")
    assert progress.step == end
    assert progress.best == Scores(*[(9.0, 5.0, 2.0), (8.0, 6.0, 1.9), (8.0, 5.0, 1.8)][end - 3])


def test_average_of_weights_is_validated_kept_and_resumed(training):
    settings = ["training.ema_decay=0.5", "training.checkpoint_every=1", "training.keep_checkpoints=20",
                "training.validate_every=3", "training.early_stopping_metric=loss",
                "training.schedule=plateau"]  # fmt: skip
    training("whole", *settings, "training.max_steps=6")
    checkpoints = training.toy / "whole" / "checkpoints"
    average = load_file(checkpoints / "step_1" / "averaged.safetensors")
    for step in range(2, 7):
        weights = load_file(checkpoints / f"step_{step}" / "model.safetensors")
        decay = min(0.5, (1 + step) / (10 + step))
        average = {name: decay * average[name] + (1 - decay) * weights[name] for name in weights}
    kept = load_file(training.toy / "whole" / "model.safetensors")  # the loss falls: the last is the best
    for name in average:
        torch.testing.assert_close(kept[name], average[name])
    assert not torch.equal(kept["output_layer.bias"], weights["output_layer.bias"])
    training("broken", *settings, "training.max_steps=3")
    training("broken", *settings, "training.max_steps=6", resume=True)
    training.assert_same("whole", "broken")


def test_signals_wait_where_processes_must_stay_together():
    with StopSignals() as stop, stop.may_interrupt(False):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received == signal.SIGTERM
