"""Steps of a search that are recorded; what only a GPU can show is in test_cuda_search.py."""

import logging

import pytest
import torch

from seq2seq.data.tokenizer import EOS
from seq2seq.inference import step_graphs
from seq2seq.inference.batch_search import BatchSearch, SourceBatch
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.step_graphs import StepGraphs, pad_to_shape

SOURCES = [[4, 5, 6, EOS], [7, EOS], [5, 4, 6, 7, 5, EOS], [9, 8, EOS], [12, EOS]]
NEVER = [0, 1, 2]


def batch(sources=SOURCES, prefix=()):
    return SourceBatch(sources, [prefix] * len(sources), range(len(sources)))


@pytest.fixture
def searches(build, record_on_cpu):
    """One that launches each step anew, and one that records it."""

    def make(options=None, **network):
        options = SearchOptions(**(options or {"beam_size": 3, "n_best": 2}))
        plain, recorded = (BatchSearch([build(**network)], options, NEVER, None) for _ in range(2))
        recorded.graphs = StepGraphs()
        return plain, recorded

    return make


NETWORKS = [
    {"style": style, "attention": attention}
    for style in ("bahdanau", "conditional", "luong")
    for attention in ({"score": "none"}, {"score": "additive", "coverage": True}, {"window": "local_m"})
] + [
    {"decoder": {"style": "luong", "input_feeding": False, "num_layers": 2}, "cell": "lstm"},
    {"encoder": {"cell": "transformer", "hidden_size": 10, "num_heads": 2}},
]
OPTIONS = [
    {"beam_size": 1},
    {"beam_size": 4, "n_best": 3, "min_length_ratio": 1.0, "coverage_penalty": 0.3},
    {"beam_size": 4, "beam_threshold": 0.5, "length_normalization": "gnmt", "max_length_ratio": 0.5},
    {"beam_size": 3, "length_normalization": "reward"},
]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("options", OPTIONS)
def test_a_recorded_search_finds_the_same(searches, assert_same, network, options):
    plain, recorded = searches(options, **network)
    for sources in (SOURCES, SOURCES[:2], SOURCES):
        assert_same(recorded(batch(sources)), plain(batch(sources)))


def test_steps_after_a_prefix_are_recorded(searches, assert_same, record_on_cpu):
    plain, recorded = searches()
    assert_same(recorded(batch(prefix=[5, 6])), plain(batch(prefix=[5, 6])))
    assert record_on_cpu


def test_what_comes_the_second_time_is_recorded(searches, record_on_cpu):
    _, recorded = searches()
    counts = []
    for sources in (SOURCES[:3], [SOURCES[0], SOURCES[2]], SOURCES[:3]):  # as wide, when padded to a multiple of 4
        recorded(batch(sources))
        counts.append(len(record_on_cpu))
    assert counts[0] >= 1  # steps on whole beams; it read once, and grew from one hypothesis in each sentence once
    assert counts[1] - counts[0] == 2
    assert counts[2] == counts[1]


def test_a_model_that_cannot_be_recorded_is_searched_without(searches, assert_same, monkeypatch, caplog):
    calls = []

    def record(*_):
        calls.append(1)
        raise RuntimeError("called a synchronizing CUDA operation\nand more")

    plain, recorded = searches()
    monkeypatch.setattr(step_graphs, "record", record)
    with caplog.at_level(logging.INFO, "seq2seq"):
        for _ in range(2):
            assert_same(recorded(batch()), plain(batch()))
    assert len(calls) == 1
    assert caplog.messages == ["search without CUDA graphs, which is slower: called a synchronizing CUDA operation"]


@pytest.mark.parametrize("fits", [0, 2])
def test_where_graphs_do_not_fit_the_search_does_without(searches, assert_same, monkeypatch, caplog, fits):
    calls, record = [], step_graphs.record

    def record_few(*given):
        calls.append(given)
        if len(calls) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return record(*given)

    plain, recorded = searches()
    monkeypatch.setattr(step_graphs, "record", record_few)
    for sources in (SOURCES[:1], SOURCES[:1], SOURCES):
        assert_same(recorded(batch(sources)), plain(batch(sources)))
    assert recorded.graphs is None
    assert len(calls) == fits + 1
    assert caplog.messages == [
        "out of memory: the search goes on without CUDA graphs, which is slower; lower batch_tokens"
    ]


def test_a_search_goes_on_where_a_later_step_cannot_be_recorded(searches, assert_same, monkeypatch):
    calls, record = [], step_graphs.record

    def record_two(*given):
        calls.append(given)
        if len(calls) > 2:
            raise RuntimeError("called a synchronizing CUDA operation")
        return record(*given)

    plain, recorded = searches()
    monkeypatch.setattr(step_graphs, "record", record_two)
    for sources in (SOURCES, SOURCES, SOURCES[:2], SOURCES):
        assert_same(recorded(batch(sources)), plain(batch(sources)))
    assert len(calls) == 3


@pytest.mark.parametrize(("options", "can"), [({}, True), ({"no_repeat_ngram_size": 2}, False)])
def test_what_can_be_recorded(options, can):
    assert StepGraphs.can_record(SearchOptions(**options)) == can
    assert not StepGraphs.can_record(SearchOptions(beam_size=1, sample=True))


def test_sources_are_padded_to_a_shape():
    source, mask = pad_to_shape(SOURCES)
    assert source.shape == mask.shape == (8, 8)
    assert mask.sum(dim=1).tolist() == [4, 2, 6, 3, 2, 1, 1, 1]
    assert source[2].tolist() == [5, 4, 6, 7, 5, EOS, 0, 0]
    assert not source[5:].any()
