"""Passes recorded for shapes of batches; what only a GPU can show is in test_cuda.py."""

from functools import partial

import pytest
import torch

from seq2seq import cuda_graphs
from seq2seq.data.batching import collate
from seq2seq.errors import ConfigError, OutOfMemory
from seq2seq.training import graphs
from seq2seq.training.gradients import add_gradients
from seq2seq.training.graphs import GraphedPass, Shape
from seq2seq.training.step import train_step

SMALL = {"embedding_size": 8, "encoder": {"hidden_size": 6}, "decoder": {"hidden_size": 10}}


def graphed(state):
    run = partial(add_gradients, state.model, state.settings, state.precision, state.scaler, padded=True)
    state.graphs = GraphedPass(run, state.model.parameters())
    return state


@pytest.mark.parametrize(
    "model",
    [
        {"decoder": {"style": style, "hidden_size": 10}, "attention": attention}
        for style in ("bahdanau", "conditional", "luong")
        for attention in (
            {"normalizer": "softmax"},
            {"normalizer": "entmax15"},
            {"window": "local_m"},
            {"window": "local_p"},
            {"coverage": True},
        )
    ]
    + [{"decoder": {"style": "luong", "input_feeding": False}}, {"attention": {"score": "none"}}]
    + [{"encoder": {"cell": "transformer", "hidden_size": 8, "num_heads": 2}}],
)
def test_padding_to_a_shape_changes_neither_loss_nor_gradient(record_on_cpu, new_state, batches, model):
    training = {"label_smoothing": 0.1} | ({} if "score" in model.get("attention", {}) else {"coverage_loss": 0.5})
    plain, padded = new_state(SMALL | model, **training), graphed(new_state(SMALL | model, **training))
    for batch in (*batches, *batches):
        for state in (plain, padded):
            train_step(state, [batch], int(batch.target_mask.sum()), 1e-6)  # Adam makes much of the smallest gradients
        for one, other in zip(plain.model.parameters(), padded.model.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)
    assert padded.progress.loss_sum == pytest.approx(plain.progress.loss_sum, rel=1e-5)
    assert len(record_on_cpu) == 2  # the first and the last have one shape


def test_several_batches_add_up_to_one_step(record_on_cpu, new_state, batches):
    plain, padded = new_state(SMALL), graphed(new_state(SMALL))
    num_tokens = sum(int(batch.target_mask.sum()) for batch in batches)
    norms = [train_step(state, batches, num_tokens, 1e-2) for state in (plain, padded)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)
    assert plain.progress.loss_sum == pytest.approx(padded.progress.loss_sum, rel=1e-6)


def test_graphs_share_memory_and_the_least_recent_goes(record_on_cpu, new_state, monkeypatch):
    monkeypatch.setattr(cuda_graphs, "MAX_GRAPHS", 2)
    state = graphed(new_state(SMALL))
    shapes = [collate([[4] * length], [[5] * length]) for length in (2, 6, 10)]
    for index in (0, 1, 0, 2, 0, 1):
        train_step(state, [shapes[index]], 8, 1e-3)
    assert record_on_cpu == [None, "pool", "pool", "pool"]  # the second was dropped for the third, and made anew


@pytest.mark.parametrize(("size", "shape"), [(1, 4), (4, 4), (5, 8), (40, 40), (63, 64), (65, 72), (500, 512)])
def test_shapes_are_few_and_little_is_padding(size, shape):
    batch = collate([[4] * (size - 1)] * 3, [[5] * (size - 1)] * 3)
    assert Shape.for_batch(batch) == (4, shape, shape)


def test_a_model_that_cannot_be_recorded_is_an_error_that_says_what_to_do(new_state, batches, monkeypatch):
    def record(*_):
        raise RuntimeError("called a synchronizing CUDA operation\nand more")

    monkeypatch.setattr(graphs, "record", record)
    message = r"cannot be recorded as a CUDA graph: called a synchronizing CUDA operation; set training.cuda_graphs="
    with pytest.raises(ConfigError, match=message):
        train_step(graphed(new_state(SMALL)), batches[:1], 8, 1e-3)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error: out of memory")]
)
def test_too_large_a_batch_is_still_named(new_state, batches, monkeypatch, error):
    def record(*_):
        raise error

    monkeypatch.setattr(graphs, "record", record)
    with pytest.raises(OutOfMemory, match=r"out of memory on a batch of 2 pairs .*; or set training.cuda_graphs=false"):
        train_step(graphed(new_state(SMALL)), batches[:1], 8, 1e-3)


def test_an_error_of_the_model_is_not_taken_for_one_of_recording(new_state, batches, monkeypatch):
    def record(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(graphs, "record", record)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        train_step(graphed(new_state(SMALL)), batches[:1], 8, 1e-3)
