"""Search on a GPU: steps recorded as CUDA graphs and launched one by one, in two number formats, by two threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from seq2seq.data.batching import pad
from seq2seq.data.tokenizer import EOS
from seq2seq.inference.batch_search import BatchSearch, SourceBatch
from seq2seq.inference.beam import _likeliest
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.packing import pack
from seq2seq.inference.search import search
from seq2seq.inference.step_graphs import StepGraphs
from seq2seq.model.scores import SCORES, Dot

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
NEVER = [0, 1, 2]
SOURCES = [[4 + (n * k) % 9 for k in range(1, 3 + n)] + [EOS] for n in range(12)]
NETWORKS = [
    {"style": style, "attention": attention}
    for style in ("bahdanau", "conditional", "luong")
    for attention in (
        {"score": "none"},
        {"score": "additive"},
        {"score": "bilinear", "normalizer": "sparsemax"},
        {"score": "concat", "normalizer": "entmax15"},
        {"score": "cosine", "projection": "query_key", "normalizer": "hard"},
        {"window": "local_m"},
        {"window": "local_p", "coverage": True},
        {"score": "scaled_dot", "projection": "query_key_value", "num_heads": 2},
    )
] + [
    {"decoder": {"style": "luong", "input_feeding": False, "num_layers": 2}, "cell": "lstm"},
    {"decoder": {"num_layers": 2}, "cell": "lstm"},
    {"encoder": {"cell": "transformer", "hidden_size": 10, "num_heads": 2}},
]
OPTIONS = [
    {"beam_size": 1},
    {"beam_size": 5, "n_best": 3, "min_length_ratio": 1.0, "coverage_penalty": 0.3},
    {"beam_size": 4, "beam_threshold": 0.5, "length_normalization": "gnmt"},
]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("options", OPTIONS)
def test_graphs_find_what_single_launches_find(build, assert_same, network, options):
    if network.get("attention", {}).get("score") == "none":
        options = options | {"coverage_penalty": 0.0}
    models, options, graphs = [build(**network).cuda()], SearchOptions(**options), StepGraphs()
    for count in (12, 5, 12):
        source, mask = (tensor.cuda() for tensor in pad(SOURCES[:count]))
        plain, recorded = (search(models, source, mask, options, NEVER, graphs=given) for given in (None, graphs))
        assert_same(recorded, plain, 1e-5)


@pytest.mark.parametrize("style", ["bahdanau", "conditional", "luong"])
def test_in_bfloat16(build, assert_same, style):
    options = SearchOptions(beam_size=4, precision="bfloat16")
    models = [build(style=style, seed=seed).cuda() for seed in (0, 1)]
    batch = SourceBatch(SOURCES, [[5]] * 12, range(12))
    recorded, plain = (BatchSearch(models, options, NEVER, None, graphs) for graphs in (True, False))
    assert recorded.graphs is not None
    assert plain.graphs is None
    assert_same(recorded(batch), plain(batch), 0.02)


def test_weights_are_rounded_once(build):
    model = build().cuda()
    assert pack(model, torch.float32) is model
    packed = pack(model, torch.bfloat16)
    layers = [packed.output_layer, *(module for module in packed.modules() if type(module) is nn.Linear)]
    assert {layer.weight.dtype for layer in layers} == {torch.bfloat16}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert packed.target_embedding.weight is model.target_embedding.weight


@pytest.mark.parametrize("size", [40, 200, 8003])
@pytest.mark.parametrize("count", [1, 5, 7])
def test_likeliest_of_groups_are_the_likeliest_of_all(size, count):
    numbers = torch.randperm(3 * size, device="cuda").view(3, size).float()
    assert torch.equal(_likeliest(numbers, count), numbers.topk(count, dim=1).indices)


class Asking(Dot):
    def forward(self, query, keys):
        scores = super().forward(query, keys)
        return scores * (1.0 if scores.sum().item() > 0 else 2.0)


def test_a_part_that_asks_the_device_is_searched_without_graphs(build, assert_same, monkeypatch):
    monkeypatch.setitem(SCORES, "asking", Asking)
    models = [build(attention={"score": "asking", "projection": "none"}).cuda()]
    options, (source, mask) = SearchOptions(beam_size=3), (tensor.cuda() for tensor in pad(SOURCES))
    found = (search(models, source, mask, options, NEVER, graphs=graphs) for graphs in (StepGraphs(), None))
    assert_same(*found, 1e-5)


def test_threads_take_turns(build, assert_same):
    searching = [BatchSearch([build(seed=seed).cuda()], SearchOptions(), NEVER, None) for seed in (0, 1)]
    work = [(searching[n % 2], SourceBatch(SOURCES[: 1 + n], [[]] * (1 + n), range(1 + n))) for n in range(12)]
    alone = [search_one(batch) for search_one, batch in work]
    for searcher in searching:
        searcher.graphs = StepGraphs()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda given: given[0](given[1]), work))
    for found, expected in zip(together, alone, strict=True):
        assert_same(found, expected, 1e-5)
