"""One step's batch, however it is cut, gives one gradient."""

import pytest
import torch

from seq2seq.config import EncoderConfig, ModelConfig, TrainingConfig
from seq2seq.data.batching import collate
from seq2seq.errors import ConfigError, OutOfMemory
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.loss import cross_entropy, divergence
from seq2seq.training.processes import Processes
from seq2seq.training.state import build_state
from seq2seq.training.step import memory_errors_named, train_step


def test_accumulated_over_two_is_one_big_batch(training):
    training("whole", *training.CURVE, "training.batch_tokens=400")
    training("halves", *training.CURVE, "training.batch_tokens=200", "training.accumulate=2")
    assert len(training.records("whole")) == 2
    training.assert_same_curve("whole", "halves")


def test_gradient_checkpoints_train_the_same(training):
    training("whole", *training.CURVE)
    training("less", *training.CURVE, "training.gradient_checkpoint_interval=3")
    training.assert_same_curve("whole", "less")


def test_reading_twice_without_dropout_changes_nothing(training):
    training("once", *training.CURVE)
    training("twice", *training.CURVE, "training.consistency=5")
    training.assert_same_curve("once", "twice")


def test_consistency_adds_the_divergence_of_two_draws_of_dropout():
    batch = collate([[4, 5, 6], [7, 8]], [[8, 9], [10, 11, 12, 13]])
    num_tokens = int(batch.target_mask.sum())
    model = Seq2Seq(ModelConfig(embedding_size=16, encoder=EncoderConfig(dropout=0.5)), 20, 20)

    torch.manual_seed(1)
    source, source_mask, target_in, target_out, target_mask = (torch.cat([part, part]) for part in batch)
    logits, _ = model(source, source_mask, target_in, target_mask)
    loss = cross_entropy(logits, target_out[target_mask]) / 2 + 300 * divergence(logits)
    assert divergence(logits.detach()) > 0
    (loss / num_tokens).backward()
    expected = torch.cat(
        [grad.flatten() for parameter in model.parameters() if (grad := parameter.grad) is not None]
    ).norm()

    state = build_state(model, TrainingConfig(consistency=300.0), torch.float32, Processes("cpu"))
    torch.manual_seed(1)
    assert train_step(state, [batch], num_tokens, 1e-3) == pytest.approx(float(expected), rel=1e-4)
    assert state.progress.num_tokens == num_tokens


def test_resume_takes_another_cut_but_not_another_batch(training):
    training("run", "training.batch_tokens=200", "training.max_steps=4")
    message = r"200 tokens a step, but training.batch_tokens=400 x training.accumulate=1 x 1 process is 400: change one"
    with pytest.raises(ConfigError, match=message):
        training("run", "training.batch_tokens=400", resume=True)
    assert training("run", "training.batch_tokens=100", "training.accumulate=2", resume=True).step == 12


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        MemoryError(),
    ],
)
def test_out_of_memory_names_the_batch_and_the_setting(error):
    batch = collate([[4, 5, 6], [7]], [[8, 9], [10, 11, 12, 13]])
    message = (
        r"on a batch of 2 pairs of up to 4 source and 5 target tokens: lower training.batch_tokens \(300 now\) and "
        r"raise training.accumulate \(1 now\)"
    )
    with pytest.raises(OutOfMemory, match=message), memory_errors_named(batch, TrainingConfig(batch_tokens=300)):
        raise error


def test_other_errors_of_a_step_stay_what_they_are():
    batch = collate([[4]], [[8]])
    with pytest.raises(RuntimeError, match="size mismatch"), memory_errors_named(batch, TrainingConfig()):
        raise RuntimeError("size mismatch")
