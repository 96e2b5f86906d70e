import pytest
import torch

from seq2seq.data.batching import pad
from seq2seq.data.tokenizer import EOS
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.sampling import Sampler, cut
from seq2seq.inference.search import search

SOURCES = [[4, 5, 6, EOS], [7, EOS], [5, 4, 6, 7, 5, EOS]]


def options(**given):
    return SearchOptions(beam_size=1, sample=True, **given)


def draws(log_probs, count=20_000, **given):
    """How often each token is drawn from one row."""
    sampler = Sampler(options(**given), range(count))
    tokens = sampler.draw(log_probs.expand(count, -1), range(count))
    return torch.bincount(tokens.flatten(), minlength=log_probs.size(1)) / count


def test_draws_follow_the_probabilities():
    probabilities = torch.tensor([[0.5, 0.3, 0.15, 0.05]])
    # of 20,000 draws the share of a token has a deviation of at most sqrt(0.25 / 20,000) = 0.0035
    torch.testing.assert_close(draws(probabilities.log()), probabilities[0], atol=0.015, rtol=0)


def test_temperature_sharpens():
    probabilities = torch.tensor([[0.6, 0.3, 0.1]])
    squares = probabilities[0] ** 2
    torch.testing.assert_close(draws(probabilities.log(), temperature=0.5), squares / squares.sum(), atol=0.015, rtol=0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"top_k": 1}, [0]),
        ({"top_k": 2}, [0, 2]),
        ({"top_k": 99}, [0, 1, 2, 3]),
        ({"top_p": 0.01}, [0]),
        ({"top_p": 0.5}, [0, 2]),  # 0.45 is less than 0.5, with the next it is 0.75
        ({"top_p": 0.8}, [0, 1, 2]),
        ({"top_p": 1.0}, [0, 1, 2, 3]),
        ({"top_k": 3, "top_p": 0.5}, [0, 2]),
        ({"top_p": 0.5, "temperature": 9.0}, [0, 1, 2]),  # made nearly even: 0.28 + 0.27 is over a half, 0.28 is not
    ],
)
def test_cut_to_the_likeliest(given, kept):
    logits = torch.tensor([[0.45, 0.2, 0.3, 0.05]]).log() / given.get("temperature", 1.0)
    if given.get("temperature"):
        kept = [0, 2]
    assert (cut(logits, options(**given)) > -torch.inf).nonzero()[:, 1].tolist() == kept


def test_top_one_is_greedy(build):
    model = build()
    greedy = search([model], *pad(SOURCES), SearchOptions(beam_size=1))
    sampled = search([model], *pad(SOURCES), options(top_k=1, seed=7))
    assert [found[0].ids for found in sampled] == [found[0].ids for found in greedy]


def test_sample_is_a_function_of_seed_and_number(build):
    model = build(scale=1.0)

    def ids(sources, numbers, seed=1):
        found = search([model], *pad(sources), options(seed=seed), [0, 1, 2], None, numbers)
        return [hypotheses[0].ids for hypotheses in found]

    together = ids(SOURCES * 5, list(range(15)))
    assert len({tuple(found) for found in together}) > 10
    assert ids(SOURCES * 5, list(range(15))) == together
    assert [ids([(SOURCES * 5)[n]], [n])[0] for n in range(15)] == together
    backwards = ids((SOURCES * 5)[::-1], list(range(15))[::-1])
    assert backwards == together[::-1]
    assert ids(SOURCES * 5, list(range(15)), seed=2) != together


def test_score_of_a_sample_is_that_of_the_model_itself(build, force):
    model = build()
    found = search([model], *pad(SOURCES), options(temperature=3.0, top_p=0.9), [0, 1, 2])
    for source, (hypothesis,) in zip(SOURCES, found, strict=True):
        assert hypothesis.token_log_probs == pytest.approx(force([model], source, hypothesis.ids)[0], abs=1e-4)
