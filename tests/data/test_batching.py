import numpy as np
import pytest
import torch

from seq2seq.data.batching import collate, even_batches, group_by_budget, length_batches
from seq2seq.data.tokenizer import BOS, EOS, PAD


def test_collate_pads_and_shifts():
    batch = collate([[5, 6, 7], [8]], [[9], [10, 11]])
    assert batch.source.tolist() == [[5, 6, 7, EOS], [8, EOS, PAD, PAD]]
    assert batch.source_mask.tolist() == [[True] * 4, [True, True, False, False]]
    assert batch.target_in.tolist() == [[BOS, 9, PAD], [BOS, 10, 11]]
    assert batch.target_out.tolist() == [[9, EOS, PAD], [10, 11, EOS]]
    assert batch.target_mask.tolist() == [[True, True, False], [True] * 3]


@pytest.mark.parametrize(
    ("lengths", "num_batches", "expected"),
    [
        ([4, 4, 4, 4, 4, 4], 2, [3, 3]),  # 5 tokens each
        ([1, 2, 3, 8], 2, [3, 1]),  # 2 + 3 + 4 and 9
        ([1, 99, 99, 1], 3, [2, 1, 1]),  # one of 99 would have two thirds of all tokens, and the next batch none
        ([1, 1, 99], 3, [1, 1, 1]),
    ],
)
def test_even_batches_by_hand(lengths, num_batches, expected):
    batches = even_batches(lengths, [1] * len(lengths), num_batches, 0)
    longest = np.asarray(lengths)
    assert [len(batch) for batch in sorted(batches, key=lambda batch: (longest[batch].max(), len(batch)))] == expected


def test_order_is_a_function_of_the_seed():
    generator = np.random.default_rng(0)
    sources, targets = generator.integers(1, 30, (2, 500)).tolist()

    def order(*seed):
        return [batch.tolist() for batch in length_batches(sources, targets, 100, seed)]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)
    assert len(order(1, 0)) == len(order(7, 3))  # the number of steps is known before the first


def test_bucketing_keeps_padding_low():
    generator = np.random.default_rng(0)
    targets = generator.integers(3, 40, 5000)
    sources = np.maximum(1, targets + generator.integers(-3, 4, 5000))
    real = padded = 0
    for batch in length_batches(sources.tolist(), targets.tolist(), 2048, 1):
        real += int((targets[batch] + 1).sum())
        padded += len(batch) * int(targets[batch].max() + 1)
    assert real / padded > 0.9


@pytest.mark.parametrize(
    ("lengths", "budget", "expected"),
    [
        ([], 10, []),
        ([2, 2, 2, 3, 9, 40], 9, [slice(0, 3), slice(3, 4), slice(4, 5), slice(5, 6)]),
        ([1, 1, 1, 1], 2, [slice(0, 2), slice(2, 4)]),
    ],
)
def test_group_by_budget(lengths, budget, expected):
    assert group_by_budget(lengths, budget) == expected


def test_batch_moves_whole():
    batch = collate([[5]], [[6]]).to(torch.device("cpu"))
    assert all(tensor.device.type == "cpu" for tensor in batch)
