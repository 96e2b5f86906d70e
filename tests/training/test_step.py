"""One step's batch, however it is cut, gives one gradient."""

import pytest
import torch

from seq2seq.config import TrainingConfig
from seq2seq.data.batching import collate
from seq2seq.errors import ConfigError, OutOfMemory
from seq2seq.training.step import memory_errors_named


def test_accumulated_over_two_is_one_big_batch(training):
    training("whole", *training.CURVE, "training.batch_tokens=400")
    training("halves", *training.CURVE, "training.batch_tokens=200", "training.accumulate=2")
    assert len(training.records("whole")) == 2
    training.assert_same_curve("whole", "halves")


def test_gradient_checkpoints_train_the_same(training):
    training("whole", *training.CURVE)
    training("less", *training.CURVE, "training.gradient_checkpoint_interval=3")
    training.assert_same_curve("whole", "less")


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
