"""What single models and options do; the laws that hold for all stand in test_search_laws.py."""

import itertools
import math

import pytest
import torch

from seq2seq.data.batching import pad
from seq2seq.data.tokenizer import BOS, EOS
from seq2seq.errors import UserError
from seq2seq.inference.beam import _likeliest
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.search import search

SOURCES = [[4, 5, 6, EOS], [7, EOS], [5, 4, 6, 7, 5, EOS]]
ONE = [[4, EOS]]
NEVER = [0, 1, 2]  # PAD, UNK, BOS
LONGEST = 10  # at a max_length_ratio so small that only the ten tokens that every sentence may have are left
SHORT = {"max_length_ratio": 0.01}


def run(model, sources, forbidden=NEVER, **options):
    prefixes, numbers = options.pop("prefixes", None), options.pop("numbers", None)
    models = model if isinstance(model, list) else [model]
    return search(models, *pad(sources), SearchOptions(**options), forbidden, prefixes, numbers)


def best(model, sources, **options):
    return [hypotheses[0] for hypotheses in run(model, sources, **options)]


def everything(letters, longest=LONGEST):
    """All hypotheses over these tokens, EOS included in the length."""
    return [[*ids, EOS] for length in range(longest) for ids in itertools.product(letters, repeat=length)]


@pytest.fixture(scope="module")
def all_of_two_letters(build):
    """A model that may write 4, 5 and EOS, and the log-probability of whatever it may write."""
    model, totals = build(vocabulary_size=6, scale=6.0), {}
    for length, same in itertools.groupby(everything([4, 5]), len):
        ids = torch.tensor(list(same))
        source = torch.tensor(ONE).expand(len(ids), -1)
        target_in = torch.cat([torch.full((len(ids), 1), BOS), ids[:, :-1]], dim=1)
        with torch.no_grad():
            log_probs = torch.log_softmax(model(source, source > 0, target_in)[0], dim=-1).gather(2, ids.unsqueeze(2))
        assert log_probs.shape == (len(ids), length, 1)
        totals |= dict(zip(map(tuple, ids.tolist()), log_probs.double().sum(dim=(1, 2)).tolist(), strict=True))
    return model, totals


NORMALIZATIONS = {
    "exponent": lambda total, length, strength: total / length**strength,
    "gnmt": lambda total, length, strength: total / ((5 + length) ** strength / 6**strength),
    "reward": lambda total, length, strength: total + strength * length,
}


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("strength", [0.0, 0.6, 1.0, 3.0])
def test_beam_that_holds_everything_is_exhaustive_search(all_of_two_letters, normalization, strength):
    model, log_probs = all_of_two_letters
    formula = NORMALIZATIONS[normalization]
    expected = {ids: formula(total, len(ids), strength) for ids, total in log_probs.items()}
    order = sorted(expected, key=expected.__getitem__, reverse=True)
    options = {"length_normalization": normalization, "length_penalty": strength}
    (found,) = run(model, ONE, beam_size=2**LONGEST, n_best=100, **options, **SHORT)
    assert len(found) == 100
    for ids, hypothesis in zip(order, found, strict=False):
        assert hypothesis.score == pytest.approx(expected[ids], abs=1e-5)
        assert expected[tuple(hypothesis.ids)] == pytest.approx(expected[ids], abs=1e-5)
    assert found[0].ids == list(order[0])


def test_beam_that_holds_everything_with_coverage_penalty(build, force):
    model, mask_size = build(vocabulary_size=6, scale=2.0), len(SOURCES[0])
    expected = {}
    for ids in everything([4, 5], 7):
        log_probs, weights = force([model], SOURCES[0], ids)
        covered = weights[0].sum(dim=0)
        assert covered.shape == (mask_size,)
        expected[tuple(ids)] = sum(log_probs) / len(ids) + 5.0 * sum(math.log(min(c, 1.0)) for c in covered.tolist())
    limit = {"max_length_ratio": 0.01, "coverage_penalty": 5.0}
    found = run(model, [SOURCES[0]], beam_size=2**LONGEST, n_best=2**LONGEST, **limit)[0]
    scores = {tuple(hypothesis.ids): hypothesis.score for hypothesis in found}
    for ids, score in expected.items():
        assert scores[ids] == pytest.approx(score, abs=1e-4)


def test_coverage_of_weights_that_are_exactly_zero_stays_finite(build):
    model = build(attention={"score": "dot", "normalizer": "hard"})
    for hypothesis in best(model, SOURCES, beam_size=3, coverage_penalty=1.0):
        assert -math.inf < hypothesis.score < hypothesis.log_prob / len(hypothesis.ids)


def test_early_stop_loses_nothing(build):
    """A wide beam stops where no hypothesis can win any more; searched to the end of all lengths it finds the same."""
    model = build(vocabulary_size=6, scale=3.0)
    for normalization, strength in itertools.product(NORMALIZATIONS, [0.0, 0.5, 1.0]):
        options = {"beam_size": 2**LONGEST, "length_normalization": normalization, "length_penalty": strength, **SHORT}
        first, *_ = run(model, ONE, **options)[0]
        of_all = run(model, ONE, **options, n_best=2**LONGEST)[0]
        assert len(of_all) == 2**LONGEST - 1  # every hypothesis that there is: no stop before the end
        assert of_all[0].ids == first.ids


@pytest.mark.parametrize("threshold", [None, 2.0, 0.5])
def test_ended_hypotheses_keep_their_places(build, force, next_log_probs, threshold):
    """With three places: the step at which a hypothesis ends leaves two; and a threshold drops what is too bad, whose
    place others may take later."""
    model, most, num_dropped = build(scale=2.0), 3, 0
    with torch.no_grad():
        model.output_layer.bias[EOS] = 1.0
    for source in SOURCES:
        live, ended, free = [([], 0.0)], [], most
        while free and live:
            continued = []
            for ids, total in live:
                values = next_log_probs(model, source, ids)
                values[NEVER] = -math.inf
                if len(ids) + 1 == 2 * len(source) + 10:
                    values[:EOS] = values[EOS + 1 :] = -math.inf
                continued += [([*ids, token], total + value) for token, value in enumerate(values.tolist())]
            kept = sorted(continued, key=lambda pair: pair[1], reverse=True)[:free]
            ended += [pair for pair in kept if pair[0][-1] == EOS]
            live = [pair for pair in kept if pair[0][-1] != EOS]
            free = most - len(ended)
            if threshold is not None:
                best_ended = max(ended, key=lambda pair: pair[1] / len(pair[0]), default=([], -math.inf))
                highest = max([best_ended[1]] + [total for _, total in live])
                num_dropped += sum(total < highest - threshold for _, total in live)
                live = [(ids, total) for ids, total in live if total >= highest - threshold]
        expected = max(ended, key=lambda pair: pair[1] / len(pair[0]))
        (found,) = best(model, [source], beam_size=most, beam_threshold=threshold)
        assert found.ids == expected[0]
        assert found.log_prob == pytest.approx(expected[1], abs=1e-4)
    assert (num_dropped > 0) == (threshold is not None)


def test_ends_at_the_length_bound_with_eos(build):
    model = build()
    with torch.no_grad():
        model.output_layer.bias[EOS] = -100.0  # a model that never wants to stop
    for source, hypothesis in zip(SOURCES, best(model, SOURCES, beam_size=2, max_length_ratio=1.5), strict=True):
        assert len(hypothesis.ids) == int(1.5 * len(source)) + 10
        assert hypothesis.ids[-1] == EOS


@pytest.mark.parametrize("beam_size", [1, 3])
def test_least_length(build, force, beam_size):
    model = build()
    with torch.no_grad():
        model.output_layer.bias[EOS] = 100.0  # a model that wants to stop at once
    options = {"beam_size": beam_size, "min_length_ratio": 1.5, "no_repeat_ngram_size": 1}
    assert [len(hypothesis.ids) for hypothesis in best(model, SOURCES, beam_size=beam_size)] == [1, 1, 1]
    for source, hypothesis in zip(SOURCES, best(model, SOURCES, **options), strict=True):
        # without a repetition there are 7 tokens (11, less EOS and three that are never generated), and then EOS
        assert len(hypothesis.ids) == min(int(1.5 * len(source)), 8)
        assert hypothesis.log_prob == pytest.approx(sum(force([model], source, hypothesis.ids)[0]), abs=1e-4)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("options", [{"beam_size": 1}, {"beam_size": 4}, {"beam_size": 1, "sample": True}])
def test_no_ngram_stands_twice(build, size, options):
    model = build(vocabulary_size=7, scale=8.0)
    with torch.no_grad():
        model.output_layer.bias[EOS] = -5.0
    repeated = 0
    for hypothesis in best(model, SOURCES, **options):
        ngrams = list(zip(*(hypothesis.ids[n:] for n in range(size)), strict=False))
        repeated += len(ngrams) - len(set(ngrams))
    assert repeated > 0, "without the rule there are some"
    for hypothesis in best(model, SOURCES, **options, no_repeat_ngram_size=size):
        ngrams = list(zip(*(hypothesis.ids[n:] for n in range(size)), strict=False))
        assert len(ngrams) == len(set(ngrams))


def test_ngram_rule_changes_nothing_before_the_first_repetition(build):
    model = build(vocabulary_size=7, scale=8.0)
    for free, ruled in zip(best(model, SOURCES, beam_size=1), best(model, SOURCES, beam_size=1, no_repeat_ngram_size=2),
                           strict=True):  # fmt: skip
        pairs = list(itertools.pairwise(free.ids))
        first = next((n for n, pair in enumerate(pairs) if pair in pairs[:n]), len(pairs))
        assert ruled.ids[: first + 1] == free.ids[: first + 1]


@pytest.mark.parametrize("beam_size", [1, 2, 5])
def test_prefix_is_kept_and_scored(build, force, beam_size):
    model = build()
    prefixes = [[9, 9, 9, 2], [], [4] * 40]  # the last one is longer than its sentence may be
    options = {"beam_size": beam_size, "no_repeat_ngram_size": 1, "prefixes": prefixes}
    alone = [best(model, [source], **options | {"prefixes": [prefix]})[0]
             for source, prefix in zip(SOURCES, prefixes, strict=True)]  # fmt: skip
    free = best(model, SOURCES, beam_size=beam_size, no_repeat_ngram_size=1)
    for number, found in enumerate(best(model, SOURCES, **options)):
        assert found.ids[: len(prefixes[number])] == prefixes[number]
        assert found.ids == alone[number].ids
        expected = force([model], SOURCES[number], found.ids)[0]
        assert found.token_log_probs == pytest.approx(expected, abs=1e-4)
        assert (found.ids == free[number].ids) == (prefixes[number] == [])
        assert len(found.ids) <= max(len(prefixes[number]) + 1, 2 * len(SOURCES[number]) + 10)


def test_own_best_translation_as_prefix_changes_nothing(build):
    model = build()
    free = best(model, SOURCES, beam_size=1)
    forced = best(model, SOURCES, beam_size=1, prefixes=[hypothesis.ids[:3] for hypothesis in free])
    for one, other in zip(free, forced, strict=True):
        if EOS not in one.ids[:3]:
            assert one.ids == other.ids


def test_forbidden_tokens_never_appear(build):
    model = build()
    with torch.no_grad():
        model.output_layer.bias[[0, 1, 2, 7]] = 50.0
    for hypotheses in run(model, SOURCES, beam_size=3, n_best=3, forbidden=[0, 1, 2, 7]):
        for hypothesis in hypotheses:
            assert not {0, 1, 2, 7} & set(hypothesis.ids)


def test_beam_wider_than_the_vocabulary(build, force):
    model = build(vocabulary_size=5, scale=6.0)
    options = {"beam_size": 40, "n_best": 40, **SHORT}
    (found,) = run(model, ONE, **options)
    assert sorted(len(hypothesis.ids) for hypothesis in found) == list(range(1, LONGEST + 1))  # 4 and EOS
    top = max(everything([4]), key=lambda ids: sum(force([model], ONE[0], ids)[0]) / len(ids))
    assert found[0].ids == top


def test_ensemble_of_one_model_twice_is_that_model(build):
    model = build()
    for one, two in zip(best(model, SOURCES, beam_size=3), best([model, model], SOURCES, beam_size=3), strict=True):
        assert one.ids == two.ids
        assert one.score == pytest.approx(two.score, abs=1e-5)
        torch.testing.assert_close(one.weights, two.weights)


def test_ensemble_takes_the_mean_of_probabilities(build, force):
    models = [build(), build(style="luong", cell="lstm", seed=1, attention={"num_heads": 2, "score": "scaled_dot",
                                                                           "projection": "query_key_value"}),
              build(seed=2, attention={"score": "none"})]  # fmt: skip
    for source, found in zip(SOURCES, best(models, SOURCES, beam_size=4), strict=True):
        assert found.token_log_probs == pytest.approx(force(models, source, found.ids)[0], abs=1e-4)
        assert found.weights.shape == (1, len(found.ids), 6)
        expected = torch.stack([force([model], source, found.ids)[1].mean(dim=0) for model in models[:2]]).mean(dim=0)
        torch.testing.assert_close(found.weights[0, :, : len(source)], expected, rtol=1e-4, atol=1e-5)


def test_model_that_yields_nan_is_named(build):
    model = build()
    with torch.no_grad():
        model.output_layer.bias.fill_(torch.nan)
    for options in ({"beam_size": 2}, {"beam_size": 1}, {"beam_size": 1, "sample": True}):
        with pytest.raises(UserError, match="the model gives no token a probability"):
            run(model, SOURCES, **options)


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("size", [3, 16, 41, 1003])
def test_likeliest_of_groups_are_the_likeliest_of_all(size, count):
    for seed in range(20):
        numbers = torch.randn(7, size, generator=torch.Generator().manual_seed(seed))
        numbers[:3, torch.randperm(size)[: size // 2]] = -torch.inf
        found = _likeliest(numbers, count)
        expected = numbers.topk(min(size, count), dim=1).values
        assert torch.equal(numbers.gather(1, found), expected)
        assert all(len(set(row)) == len(row) for row in found.tolist())


def test_bos_is_what_decoding_starts_from(build, next_log_probs):
    model = build()
    (found,) = best(model, ONE, beam_size=1)
    assert found.token_log_probs[0] == pytest.approx(float(next_log_probs(model, ONE[0], [])[found.ids[0]]), abs=1e-5)
    assert BOS not in found.ids
