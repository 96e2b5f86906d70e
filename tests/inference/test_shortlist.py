"""Search with some of the target ids is search with a model that gives the others no probability."""

import copy

import pytest
import torch

from seq2seq.data.batching import pad
from seq2seq.data.tokenizer import EOS
from seq2seq.device import onednn_has_int8
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.packing import pack
from seq2seq.inference.search import search
from seq2seq.inference.shortlist import search_shortlist

SOURCES = [[4, 5, 6, EOS], [7, EOS], [5, 4, 6, 7, 5, EOS]]
NEVER = [0, 1, 2, 17]  # control symbols, and one more
V = 23
SOME = [3, 5, 8, 11, 17, 19, 22]
PREFIXES = [[], [8, 13], [20]]  # 13 and 20 are not among them


def run(models, options, shortlist, prefixes=None):
    return search_shortlist(models, torch.tensor(shortlist), *pad(SOURCES), options, NEVER, prefixes)


def without_others(model, ids):
    """The model with these and the control symbols alone: the others' logits are next to minus infinity."""
    model = copy.deepcopy(model)
    others = [index for index in range(V) if index not in {*range(EOS + 1), *ids}]
    with torch.no_grad():
        model.output_layer.bias[others] = -1e9
    return model


NETWORKS = [
    {"style": "bahdanau"},
    {"style": "luong", "decoder": {"input_feeding": False}, "cell": "lstm"},
    {"style": "luong", "tie_embeddings": "target_output", "attention": {"coverage": True}},
]
OPTIONS = [
    {"beam_size": 1},
    {"beam_size": 4, "n_best": 3},
    {"beam_size": 3, "no_repeat_ngram_size": 1},
    {"beam_size": 12, "n_best": 12, "min_length_ratio": 1.0, "length_normalization": "gnmt"},
    {"beam_size": 2, "coverage_penalty": 0.4, "no_repeat_ngram_size": 2, "max_length_ratio": 0.01},
]


@pytest.fixture(scope="module", params=range(len(NETWORKS) + 1), ids=["bahdanau", "luong", "tied", "ensemble"])
def models(request, build):
    if request.param < len(NETWORKS):
        return [build(vocabulary_size=V, **NETWORKS[request.param])]
    return [build(vocabulary_size=V, seed=seed, **network) for seed, network in enumerate(NETWORKS[:2])]


@pytest.mark.parametrize("prefixes", [None, PREFIXES], ids=["free", "prefixes"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_finds_what_a_model_without_the_others_finds(models, options, prefixes):
    options = SearchOptions(**options)
    found = run(models, options, SOME, prefixes)
    narrow = [without_others(model, SOME if prefixes is None else [*SOME, 13, 20]) for model in models]
    expected = search(narrow, *pad(SOURCES), options, NEVER, prefixes)
    for ours, theirs in zip(found, expected, strict=True):
        assert [one.ids for one in ours] == [one.ids for one in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-5)
            assert one.score == pytest.approx(other.score, abs=1e-5)
            torch.testing.assert_close(one.weights, other.weights, atol=1e-5, rtol=0)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_the_whole_vocabulary_changes_nothing(models, options):
    found = run(models, SearchOptions(**options), list(range(V)), PREFIXES)
    expected = search(models, *pad(SOURCES), SearchOptions(**options), NEVER, PREFIXES)
    for ours, theirs in zip(found, expected, strict=True):
        assert [one[:3] for one in ours] == [other[:3] for other in theirs]
        assert all(torch.equal(one.weights, other.weights) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("network", NETWORKS, ids=["bahdanau", "luong", "tied"])
def test_a_greedy_translation_stays_where_its_pieces_are_listed(build, network):
    """The likeliest token stays the likeliest among fewer, and its probability can only grow; with one model."""
    models, options = [build(vocabulary_size=V, **network)], SearchOptions(beam_size=1)
    expected = [found for (found,) in search(models, *pad(SOURCES), options, NEVER)]
    listed = sorted({index for found in expected for index in found.ids})
    for (ours,), theirs in zip(run(models, options, listed), expected, strict=True):
        assert ours.ids == theirs.ids
        assert ours.score > theirs.score


@pytest.mark.parametrize("precision", [torch.float32, torch.int8], ids=str)
def test_packed_models_find_the_same(models, precision):
    if precision == torch.int8 and not onednn_has_int8():
        pytest.skip("needs an x86 processor")
    options = SearchOptions(beam_size=3, n_best=3)
    packed = [pack(model, precision) for model in models]
    if precision == torch.float32:
        for ours, theirs in zip(run(packed, options, SOME), run(models, options, SOME), strict=True):
            assert [one.ids for one in ours] == [other.ids for other in theirs]
            assert [one.score for one in ours] == pytest.approx([other.score for other in theirs], abs=1e-5)
    whole, expected = run(packed, options, list(range(V))), search(packed, *pad(SOURCES), options, NEVER)
    assert [one[:3] for (one, *_) in whole] == [other[:3] for (other, *_) in expected]
