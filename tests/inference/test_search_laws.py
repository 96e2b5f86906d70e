"""Laws of search over random models of every decoder, cell, encoder and attention, and over its options.

Matrix products round differently in batches of different shape, by some 1e-7 of a log-probability. Where two
continuations are nearer than that, and one place is left, chance decides: then, and only then, company may change a
translation. In these models, whose distributions are uneven, as in trained ones, no such tie comes up.
"""

import itertools

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq.data.batching import pad
from seq2seq.data.tokenizer import EOS
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.ranking import normalize
from seq2seq.inference.search import search
from seq2seq.inference.step_graphs import StepGraphs
from seq2seq.model.normalizers import NORMALIZERS
from seq2seq.model.scores import SCORES
from seq2seq.model.windows import WINDOWS

STYLES = {
    "bahdanau": {"style": "bahdanau"},
    "conditional": {"style": "conditional"},
    "input_feeding": {"style": "luong", "input_feeding": True},
    "luong": {"style": "luong", "input_feeding": False},
}
ENCODERS = [{}, {"cell": "transformer", "hidden_size": 10, "num_heads": 2, "feedforward_size": 7}]
NEVER = [0, 1, 2]


def networks():
    """Every decoder, cell and attention that makes sense together, as settings of `build`."""
    heads = [{}, {"num_heads": 2, "projection": "query_key_value"}]
    attentions = [{"score": "none"}] + [
        {"score": score, "normalizer": normalizer, "window": window, "coverage": coverage, "window_size": 1} | more
        for score, normalizer, window, coverage, more in itertools.product(
            SCORES, NORMALIZERS, WINDOWS, [False, True], heads
        )
    ]
    for style, cell, attention in itertools.product(STYLES, ["gru", "lstm"], attentions):
        if style != "luong" or not attention.get("coverage"):
            yield {"decoder": STYLES[style], "cell": cell, "attention": attention}


ALL = list(networks())

sources = st.lists(
    st.lists(st.integers(4, 12), min_size=1, max_size=9).map(lambda ids: [*ids, EOS]), min_size=1, max_size=7
)


@st.composite
def search_settings(draw, sampled=True):
    beam_size = draw(st.integers(1, 6))
    chosen = {
        "beam_size": beam_size,
        "n_best": draw(st.integers(1, beam_size)),
        "length_normalization": draw(st.sampled_from(["exponent", "gnmt", "reward"])),
        "length_penalty": draw(st.sampled_from([0.0, 0.6, 1.0])),
        "no_repeat_ngram_size": draw(st.sampled_from([0, 0, 1, 2])),
        "min_length_ratio": draw(st.sampled_from([0.0, 0.0, 1.0])),
        "beam_threshold": draw(st.sampled_from([None, None, 0.3, 1.0])),
    }
    if sampled and beam_size == 1 and draw(st.booleans()):
        chosen |= {
            "sample": True,
            "seed": draw(st.integers(0, 5)),
            "temperature": draw(st.sampled_from([0.5, 1.0, 2.0])),
        }
        chosen |= draw(st.sampled_from([{}, {"top_k": 3}, {"top_p": 0.8}]))
    return chosen


def check_laws(build, force, network, texts, chosen, order, seed, recorded=False):
    models = [build(seed=seed, **network)]
    if seed % 3 == 0:  # an ensemble of two
        models.append(build(seed=seed + 100, style="luong"))
    if network["attention"]["score"] != "none" and seed % 2:
        chosen = chosen | {"coverage_penalty": 0.3}
    options = SearchOptions(**chosen)
    prefixes = [[4] * (n % 3) for n in range(len(texts))]
    graphs = StepGraphs() if recorded and StepGraphs.can_record(options) else None

    def run(numbers, extra_padding=0):
        source, mask = pad([texts[n] for n in numbers])
        source = torch.nn.functional.pad(source, (0, extra_padding))
        mask = torch.nn.functional.pad(mask, (0, extra_padding))
        return search(models, source, mask, options, NEVER, [prefixes[n] for n in numbers], numbers, graphs)

    together = run(list(range(len(texts))))
    shuffled = dict(zip(order, run(order, extra_padding=3), strict=True))
    for n, text in enumerate(texts):
        (alone,) = run([n])
        found = together[n]
        for other in (alone, shuffled[n]):
            assert [hypothesis.ids for hypothesis in other] == [hypothesis.ids for hypothesis in found]
            assert [h.score for h in other] == pytest.approx([h.score for h in found], abs=1e-5, rel=1e-5)

        assert 1 <= len(found) <= options.n_best
        assert len({tuple(hypothesis.ids) for hypothesis in found}) == len(found)
        scores = [hypothesis.score for hypothesis in found]
        assert scores == sorted(scores, reverse=True)
        for hypothesis in found:
            ids = hypothesis.ids
            assert ids[-1] == EOS
            assert ids[: n % 3] == prefixes[n]
            assert not {*NEVER, EOS} & set(ids[:-1])
            assert len(ids) <= 2 * len(text) + 10
            log_probs, weights = force(models, text, ids)
            assert hypothesis.token_log_probs == pytest.approx(log_probs, abs=1e-4)
            torch.testing.assert_close(hypothesis.weights[:, :, : len(text)], weights, rtol=1e-3, atol=1e-4)
            assert not hypothesis.weights[:, :, len(text) :].any()
            expected = normalize(sum(log_probs), len(ids), options)
            if options.coverage_penalty:
                got = weights.mean(dim=0).sum(dim=0).clamp(1e-4, 1.0)
                expected += options.coverage_penalty * float(got.log().sum())
            assert hypothesis.score == pytest.approx(expected, abs=1e-4, rel=1e-4)


def laws(max_examples):
    """Draws a network among all, sentences, an order of them, and settings."""

    def decorate(function):
        drawn = given(st.sampled_from(ALL), st.sampled_from(ENCODERS), sources, search_settings(), st.data())(function)
        health = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
        return settings(max_examples=max_examples, suppress_health_check=health)(drawn)

    return decorate


@laws(15)
def test_laws(build, force, network, encoder, texts, chosen, data):
    order = data.draw(st.permutations(range(len(texts))))
    check_laws(build, force, network | {"encoder": encoder}, texts, chosen, order, data.draw(st.integers(0, 99)))


@laws(10)
def test_laws_of_recorded_steps(record_on_cpu, build, force, network, encoder, texts, chosen, data):
    order = data.draw(st.permutations(range(len(texts))))
    seed = data.draw(st.integers(0, 99))
    check_laws(build, force, network | {"encoder": encoder}, texts, chosen, order, seed, recorded=True)


@pytest.mark.slow
@laws(500)
def test_laws_at_length(build, force, network, encoder, texts, chosen, data):
    order = data.draw(st.permutations(range(len(texts))))
    check_laws(build, force, network | {"encoder": encoder}, texts, chosen, order, data.draw(st.integers(0, 99)))


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ALL), sources, st.integers(0, 99))
def test_beam_of_one_is_greedy(build, greedy, network, texts, seed):
    model = build(seed=seed, **network)
    found = search([model], *pad(texts), SearchOptions(beam_size=1))
    for text, (hypothesis,) in zip(texts, found, strict=True):
        assert hypothesis.ids == greedy(model, text, 2 * len(text) + 10)


def test_number_of_threads_changes_nothing(build):
    model = build(embedding_size=64, decoder={"hidden_size": 128}, encoder={"hidden_size": 64})
    texts = [[4 + (n * k) % 9 for k in range(1, 3 + n)] + [EOS] for n in range(20)]
    options = SearchOptions(beam_size=4)
    results = []
    for num_threads in (1, 2):
        torch.set_num_threads(num_threads)
        try:
            results.append(search([model], *pad(texts), options, NEVER))
        finally:
            torch.set_num_threads(1)
    for (one,), (two,) in zip(*results, strict=True):
        assert one.ids == two.ids
        assert one.score == pytest.approx(two.score, abs=1e-5)
