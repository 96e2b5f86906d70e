"""Sentences cut into pieces at random: how often which, and that the text stays what it is."""

import math
import random
from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given

from seq2seq.config import TokenizerConfig
from seq2seq.data import segmentation
from seq2seq.data.corpus import Corpus
from seq2seq.data.segmentation import Segmenter, SubwordSampler
from seq2seq.data.tokenized import Pairs
from seq2seq.data.tokenizer import Tokenizer

TEXTS = Corpus(
    ["the cat sees the dog .", "a dog sees a cat .", "the small cat sleeps ."] * 5,
    ["le chat voit le chien .", "un chien voit un chat .", "le petit chat dort à Bâle ."] * 5,
)


def train(**settings):
    return Tokenizer.train(TokenizerConfig.model_validate({"vocabulary_size": 330, **settings}), TEXTS)


TOKENIZER = train()
WITHOUT_BYTES = train(byte_fallback=False, vocabulary_size=70)
APART = train(joint=False)
PIECES = ["<unk>", "▁", "a", "b", "▁a", "ab", "▁ab", "<0xE2>"]
PROBABILITIES = [None, 0.1, 0.2, 0.3, 0.05, 0.25, 0.1, None]
LOG_PROBS = [p and math.log(p) for p in PROBABILITIES]


def segmenter(tokenizer, alpha):
    """Of the target side."""
    return Segmenter(tokenizer.target_pieces(range(tokenizer.target_size)), tokenizer.target_log_probs, alpha)


def all_segmentations(text, pieces, log_probs):
    """Each with its log-probability."""
    if not text:
        return {(): 0.0}
    found = {}
    for index, (piece, log_prob) in enumerate(zip(pieces, log_probs, strict=True)):
        if log_prob is not None and text.startswith(piece):
            rest = all_segmentations(text[len(piece) :], pieces, log_probs)
            found |= {(index, *ids): log_prob + other for ids, other in rest.items()}
    return found


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0, 3.0])
def test_draws_each_segmentation_as_often_as_it_should(alpha):
    """Two words and a byte between them: six segmentations of the first, two of the second."""
    ids = [6, 7, 5]  # ▁ab <0xE2> ab
    first, second = (all_segmentations(text, PIECES, LOG_PROBS) for text in ("▁ab", "ab"))
    assert {"".join(PIECES[i] for i in word) for word in first} == {"▁ab"}
    assert (len(first), len(second)) == (4, 2)
    weights = {
        (*one, 7, *other): math.exp(alpha * (first[one] + second[other])) for one in first for other in second
    }  # fmt: skip
    total, num_draws = sum(weights.values()), 20_000
    sample, draw = Segmenter(PIECES, LOG_PROBS, alpha).sample, random.Random(1).random
    counts = Counter(tuple(sample(ids, draw)) for _ in range(num_draws))
    assert counts.keys() <= weights.keys()
    for segmentation_, weight in weights.items():
        expected = weight / total
        deviation = math.sqrt(expected * (1 - expected) / num_draws)
        assert abs(counts[segmentation_] / num_draws - expected) < 4 * deviation


def test_draws_the_segmentations_that_sentencepiece_knows():
    """Its n-best list, of at most 512, has them all, the more probable first."""
    pieces, log_probs = TOKENIZER.target_pieces(range(TOKENIZER.target_size)), TOKENIZER.target_log_probs
    ours = all_segmentations("▁chien", pieces, log_probs)
    theirs = [tuple(ids) for ids in TOKENIZER._target.nbest_encode("chien", nbest_size=512)]
    assert set(theirs) == ours.keys()
    assert [ours[ids] for ids in theirs] == pytest.approx(sorted(ours.values(), reverse=True), abs=1e-4)
    sample, draw = segmenter(TOKENIZER, 0.0).sample, random.Random(1).random
    assert {tuple(sample(theirs[0], draw)) for _ in range(100 * len(ours))} == ours.keys()


def test_a_large_alpha_gives_what_sentencepiece_gives():
    sampler = SubwordSampler(APART, alpha=1e5, max_length=100)
    best = Pairs(APART.encode_source(TEXTS.source), APART.encode_target(TEXTS.target))
    assert sampler(best, (1,)) == best


@pytest.mark.parametrize("tokenizer", [TOKENIZER, WITHOUT_BYTES], ids=["bytes", "no bytes"])
@given(text=st.text(st.characters(blacklist_categories=["Cs"]) | st.sampled_from("▁ achts<0xE2>"), max_size=60))
def test_any_text_stays_what_it_is(tokenizer, text):
    (ids,) = tokenizer.encode_target([text])
    sampled = segmenter(tokenizer, 0.2).sample(ids, random.Random(1).random)
    assert tokenizer.decode(sampled) == tokenizer.decode(ids)
    assert "".join(tokenizer.target_pieces(sampled)) == "".join(tokenizer.target_pieces(ids))


@pytest.mark.parametrize("tokenizer", [TOKENIZER, APART], ids=["joint", "apart"])
def test_a_function_of_the_seed_for_both_sides(tokenizer):
    pairs = Pairs(tokenizer.encode_source(TEXTS.source), tokenizer.encode_target(TEXTS.target))
    sampler = SubwordSampler(tokenizer, alpha=0.2, max_length=100)
    once = sampler(pairs, (1, 0))
    assert once == SubwordSampler(tokenizer, alpha=0.2, max_length=100)(pairs, (1, 0))
    assert once != sampler(pairs, (1, 1))
    assert once != sampler(pairs, (1, 0, 0))
    assert len(set(map(tuple, once.sources[::3]))) > 1  # the same sentence
    assert [tokenizer.decode(ids) for ids in once.targets] == TEXTS.target
    spelled = ["".join(tokenizer.source_pieces(ids)).replace("▁", " ").strip() for ids in once.sources]
    assert spelled == TEXTS.source


def test_a_side_that_grows_too_long_stays_as_it_was():
    pairs = Pairs(TOKENIZER.encode_source(TEXTS.source), TOKENIZER.encode_target(TEXTS.target))
    longest = max(map(len, pairs.sources + pairs.targets))
    sampled = SubwordSampler(TOKENIZER, alpha=0.0, max_length=longest)(pairs, (1,))
    stayed = [one == other for one, other in zip(sampled.targets, pairs.targets, strict=True)]
    assert 0 < sum(stayed) < len(stayed)
    assert max(map(len, sampled.sources + sampled.targets)) <= longest


def test_long_words_are_cut_too_and_not_remembered(monkeypatch):
    monkeypatch.setattr(segmentation, "LONGEST_REMEMBERED", 2)
    pieces = Segmenter(PIECES, LOG_PROBS, 0.5)
    sampled = pieces.sample([6, 5, 5, 4, 3], random.Random(1).random)  # ▁ababab ▁ab
    assert "".join(PIECES[i] for i in sampled) == "▁ababab▁ab"
    assert pieces._remembered.cache_info().currsize == 1
    assert pieces.sample([], random.Random(1).random) == []


def test_a_very_long_word_under_a_sharp_model_neither_overflows_nor_vanishes():
    ids = [6] + [5] * 3000
    assert Segmenter(PIECES, LOG_PROBS, 50.0).sample(ids, random.Random(1).random) == ids
