import itertools

import pytest
import torch

from seq2seq.config import ModelConfig
from seq2seq.data.batching import pad
from seq2seq.data.tokenizer import BOS, EOS
from seq2seq.errors import UserError
from seq2seq.inference.search import beam_search
from seq2seq.model.seq2seq import Seq2Seq

SOURCES = [[4, 5, 6, EOS], [7, EOS], [5, 4, 6, 7, 5, EOS]]


def make(vocabulary_size=11, style="bahdanau", cell="gru", scale=4.0, **settings):
    """An untrained model whose larger output weights make its distributions uneven."""
    config = ModelConfig.model_validate(
        {
            "embedding_size": 6,
            "encoder": {"cell": cell, "hidden_size": 5},
            "decoder": {"style": style, "cell": cell, "hidden_size": 10},
            **settings,
        }
    )
    model = Seq2Seq(config, 13, vocabulary_size).eval()
    with torch.no_grad():
        model.output_layer.weight.mul_(scale)
        for name, parameter in model.named_parameters():
            if name.endswith("coverage_weight"):
                parameter.normal_()
    return model


def log_prob(model, source, ids):
    """Of a whole hypothesis, by forced decoding."""
    target_in = torch.tensor([[BOS, *ids[:-1]]])
    logits, weights = model(torch.tensor([source]), torch.ones(1, len(source), dtype=torch.bool), target_in)
    chosen = torch.log_softmax(logits[0], dim=-1).gather(1, torch.tensor(ids).unsqueeze(1))
    return float(chosen.detach().sum()), weights[0]


def greedy(model, source, max_length):
    """The likeliest next token, one at a time, by running the whole prefix anew."""
    ids = []
    while True:
        logits, _ = model(
            torch.tensor([source]), torch.ones(1, len(source), dtype=torch.bool), torch.tensor([[BOS, *ids]])
        )
        ids.append(EOS if len(ids) + 1 == max_length else int(logits[0, -1].argmax()))
        if ids[-1] == EOS:
            return ids


ATTENTIONS = [
    {"score": "none"},
    {"score": "additive"},
    {"score": "additive", "coverage": True},
    {"score": "dot", "window": "local_m", "window_size": 1},
    {"score": "cosine", "normalizer": "hard", "num_heads": 2, "projection": "query_key_value"},
]
STYLES = list(itertools.product(["bahdanau", "luong"], ["gru", "lstm"], ATTENTIONS))


@pytest.mark.parametrize(("style", "cell", "attention"), STYLES)
def test_beam_of_one_is_greedy(style, cell, attention):
    model = make(style=style, cell=cell, attention=attention)
    found = beam_search(model, *pad(SOURCES), beam_size=1)
    for source, hypothesis in zip(SOURCES, found, strict=True):
        assert hypothesis.ids == greedy(model, source, 2 * len(source) + 10)


@pytest.mark.parametrize(("style", "cell", "attention"), STYLES)
@pytest.mark.parametrize("beam_size", [1, 3])
def test_scores_and_weights_equal_forced_decoding(style, cell, attention, beam_size):
    model = make(style=style, cell=cell, attention=attention)
    for source, found in zip(SOURCES, beam_search(model, *pad(SOURCES), beam_size, length_penalty=0.7), strict=True):
        expected, weights = log_prob(model, source, found.ids)
        assert found.log_prob == pytest.approx(expected, abs=1e-4)
        assert found.score == pytest.approx(expected / len(found.ids) ** 0.7, abs=1e-4)
        torch.testing.assert_close(found.weights[:, :, : len(source)], weights, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("beam_size", [1, 2, 5])
def test_batch_equals_one_by_one(beam_size):
    model = make()
    together = beam_search(model, *pad(SOURCES), beam_size)
    for source, hypothesis in zip(SOURCES, together, strict=True):
        (alone,) = beam_search(model, *pad([source]), beam_size)
        assert alone.ids == hypothesis.ids
        assert alone.score == pytest.approx(hypothesis.score, abs=1e-5)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_wide_beam_equals_exhaustive_search(length_penalty):
    model = make(vocabulary_size=5, scale=2.0)  # may generate EOS and the id 4 alone: 0, 1 and 2 are forbidden
    source, longest = [4, EOS], 10  # max_length_ratio so small that 10 tokens are the most
    candidates = [[4] * length + [EOS] for length in range(longest)]
    expected = max(candidates, key=lambda ids: log_prob(model, source, ids)[0] / len(ids) ** length_penalty)
    (found,) = beam_search(model, *pad([source]), 16, length_penalty, 0.01, never_generated=[0, 1, 2])
    assert found.ids == expected


def test_wide_beam_equals_exhaustive_search_over_three_tokens():
    model = make(vocabulary_size=6, scale=6.0)
    source, forbidden, longest = [4, EOS], [0, 1, 2], 4
    candidates = [[*ids, EOS] for length in range(longest) for ids in itertools.product([4, 5], repeat=length)]
    best = max(candidates, key=lambda ids: log_prob(model, source, ids)[0] / len(ids))
    found = beam_search(
        model, *pad([source]), beam_size=2**longest, max_length_ratio=-3.0, never_generated=forbidden
    )  # 2 source tokens x -3 + 10 = 4 tokens at most
    assert found[0].ids == best


def test_search_ends_at_the_length_bound_with_eos():
    model = make()
    with torch.no_grad():
        model.output_layer.bias[EOS] = -100.0  # a model that never wants to stop
    for source, hypothesis in zip(SOURCES, beam_search(model, *pad(SOURCES), 2, max_length_ratio=1.5), strict=True):
        assert len(hypothesis.ids) == int(1.5 * len(source)) + 10
        assert hypothesis.ids[-1] == EOS


def test_forbidden_tokens_never_appear():
    model = make()
    with torch.no_grad():
        model.output_layer.bias[[0, 1, 2, 7]] = 50.0
    for hypothesis in beam_search(model, *pad(SOURCES), 3, never_generated=[0, 1, 2, 7]):
        assert not {0, 1, 2, 7} & set(hypothesis.ids)


def test_beam_wider_than_the_vocabulary():
    model = make(vocabulary_size=5, scale=6.0)
    candidates = [[*ids, EOS] for length in range(3) for ids in itertools.product([0, 1, 2, 4], repeat=length)]
    best = max(candidates, key=lambda ids: log_prob(model, [4, EOS], ids)[0] / len(ids))
    (hypothesis,) = beam_search(model, *pad([[4, EOS]]), beam_size=40, max_length_ratio=-3.5)  # 3 tokens at most
    assert hypothesis.ids == best


def test_model_that_yields_nan_is_named():
    model = make()
    with torch.no_grad():
        model.output_layer.bias.fill_(torch.nan)
    with pytest.raises(UserError, match="the model gives no token a probability"):
        beam_search(model, *pad(SOURCES), beam_size=2)
