"""Random models to search with, and what a search must agree with, computed the slow way."""

import pytest
import torch

from seq2seq.config import ModelConfig
from seq2seq.data.tokenizer import BOS, EOS
from seq2seq.model.seq2seq import Seq2Seq

SOURCE_SIZE = 13


def _build(vocabulary_size=11, style="bahdanau", cell="gru", scale=4.0, seed=0, decoder=None, encoder=None, **settings):
    """An untrained model whose larger output weights make its distributions uneven."""
    config = ModelConfig.model_validate(
        {
            "embedding_size": 6,
            "encoder": {"cell": cell, "hidden_size": 5} | (encoder or {}),
            "decoder": {"style": style, "cell": cell, "hidden_size": 10} | (decoder or {}),
            **settings,
        }
    )
    torch.manual_seed(seed)
    model = Seq2Seq(config, SOURCE_SIZE, vocabulary_size).eval()
    with torch.no_grad():
        model.output_layer.weight.mul_(scale)
        for name, parameter in model.named_parameters():
            if name.endswith("coverage_weight"):
                parameter.normal_()
    return model


@torch.inference_mode()
def _force(models, source, ids):
    """The log-probability of each token of a whole hypothesis, and the attention weights, by forced decoding."""
    probabilities, weights = [], []
    for model in models:
        target_in = torch.tensor([[BOS, *ids[:-1]]])
        logits, of_model = model(torch.tensor([source]), torch.ones(1, len(source), dtype=torch.bool), target_in)
        probabilities.append(torch.softmax(logits[0].double(), dim=-1).gather(1, torch.tensor(ids).unsqueeze(1)))
        weights.append(of_model[0])
    mean = torch.stack(probabilities).mean(dim=0).squeeze(1).log()
    return mean.tolist(), weights[0] if len(weights) == 1 else _mean(weights)


def _mean(weights):
    heads = [of_model.mean(dim=0) for of_model in weights if len(of_model)]
    return torch.stack(heads).mean(dim=0).unsqueeze(0)


@torch.no_grad()
def _next_log_probs(model, source, ids):
    logits, _ = model(torch.tensor([source]), torch.ones(1, len(source), dtype=torch.bool), torch.tensor([[BOS, *ids]]))
    return torch.log_softmax(logits[0, -1], dim=-1).clone()


def _greedy(model, source, max_length):
    """The likeliest next token, one at a time, by running the whole prefix anew."""
    ids = []
    while not ids or ids[-1] != EOS:
        ids.append(EOS if len(ids) + 1 == max_length else int(_next_log_probs(model, source, ids).argmax()))
    return ids


@pytest.fixture(scope="session")
def build():
    return _build


@pytest.fixture(scope="session")
def force():
    return _force


@pytest.fixture(scope="session")
def next_log_probs():
    return _next_log_probs


@pytest.fixture(scope="session")
def greedy():
    return _greedy


def _assert_same(found, expected, tolerance=1e-6):
    """Two searches found the same hypotheses, though one may have padded its sources more."""
    for ones, others in zip(found, expected, strict=True):
        assert [one.ids for one in ones] == [other.ids for other in others]
        for one, other in zip(ones, others, strict=True):
            assert one.score == pytest.approx(other.score, abs=tolerance)
            assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=10 * tolerance)
            length = min(one.weights.size(2), other.weights.size(2))
            weights = [hypothesis.weights[:, :, :length] for hypothesis in (one, other)]
            torch.testing.assert_close(*weights, rtol=tolerance, atol=tolerance)
            assert not any(hypothesis.weights[:, :, length:].any() for hypothesis in (one, other))


@pytest.fixture(scope="session")
def assert_same():
    return _assert_same
