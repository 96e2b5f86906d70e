"""Which batches a run takes, and that it takes the same from any place on: also where they are cut at random."""

import itertools
from collections import Counter

import pyarrow
import pytest

from seq2seq.config import TokenizerConfig
from seq2seq.data.batching import collate
from seq2seq.data.corpus import Corpus
from seq2seq.data.segmentation import SubwordSampler
from seq2seq.data.tokenized import StoredPairs
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.training import batches as module
from seq2seq.training.batches import StoredBatches
from seq2seq.training.state import Progress

LINES = [" ".join(words) for words in itertools.product(["dog", "doing", "ding", "gin"], repeat=3)]
BUDGET = 60


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TokenizerConfig(vocabulary_size=290), Corpus(LINES, LINES[::-1]))


@pytest.fixture(scope="module")
def pairs(tokenizer):
    ids = {"source": tokenizer.encode_source(LINES), "target": tokenizer.encode_target(LINES[::-1])}
    return StoredPairs(pyarrow.table(ids))


@pytest.fixture
def take(pairs, tokenizer, monkeypatch):
    """So many batches from a place on, cut with an alpha."""
    monkeypatch.setattr(module, "POOL", 4)

    def take(number, alpha, epoch=0, batches_done=0, seed=1):
        sampler = None if alpha is None else SubwordSampler(tokenizer, alpha, max_length=20)
        progress = Progress(epoch=epoch, batches_done=batches_done)
        return list(itertools.islice(StoredBatches(pairs, BUDGET, seed, sampler).after(progress), number))

    return take


def texts(tokenizer, batches):
    return Counter(
        (tokenizer.decode(source), tokenizer.decode(target))
        for batch in batches
        for source, target in zip(*batch, strict=True)
    )


@pytest.mark.parametrize("alpha", [None, 0.2])
def test_from_any_place_on_they_are_the_same(take, pairs, alpha):
    per_epoch = StoredBatches(pairs, BUDGET, 1).per_epoch
    assert per_epoch % 4 != 0  # the last pool is smaller
    whole = take(2 * per_epoch, alpha)
    for place in range(2 * per_epoch):
        epoch, batches_done = divmod(place, per_epoch)
        assert take(2 * per_epoch - place, alpha, epoch, batches_done) == whole[place:]


@pytest.mark.parametrize("alpha", [None, 0.2])
def test_each_epoch_has_each_pair_once(take, pairs, tokenizer, alpha):
    per_epoch = StoredBatches(pairs, BUDGET, 1).per_epoch
    for epoch in range(2):
        assert texts(tokenizer, take(per_epoch, alpha, epoch)) == Counter(zip(LINES, LINES[::-1], strict=True))


def test_each_epoch_and_seed_cuts_anew(take, pairs):
    per_epoch = StoredBatches(pairs, BUDGET, 1).per_epoch
    cuts = [
        Counter(tuple(ids) for batch in take(per_epoch, 0.2, **place) for ids in batch.sources)
        for place in ({}, {"epoch": 1}, {"seed": 2})
    ]
    assert cuts[0] != cuts[1]
    assert cuts[0] != cuts[2]


def test_batches_of_a_pool_are_about_as_full(take, pairs):
    """Of its pairs' longest sides each has its part, and at most one pair's more; no side is over `max_length`."""
    per_epoch = StoredBatches(pairs, BUDGET, 1).per_epoch
    best, sampled = (
        [[max(len(s), len(t)) + 1 for s, t in zip(*batch, strict=True)] for batch in take(per_epoch, alpha)]
        for alpha in (None, 0.2)
    )
    for start in range(0, per_epoch, 4):
        pool = sampled[start : start + 4]
        share = sum(map(sum, pool)) / len(pool)
        assert all(sum(longest) <= share + max(longest) and max(longest) <= 21 for longest in pool)
    assert sum(map(sum, sampled)) > 1.1 * sum(map(sum, best))


@pytest.mark.slow
def test_how_much_longer_multi30k_becomes(multi30k):
    """What docs/training.md says of Multi30k: its pieces, and its padded tokens a batch."""
    text = Corpus(*((multi30k / f"train.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de")))
    tokenizer = Tokenizer.train(TokenizerConfig(), text)
    ids = {"source": tokenizer.encode_source(text.source), "target": tokenizer.encode_target(text.target)}
    pairs = StoredPairs(pyarrow.table(ids))

    def measure(alpha):
        sampler = None if alpha is None else SubwordSampler(tokenizer, alpha, max_length=200)
        batches = StoredBatches(pairs, 1200, 1, sampler)
        pieces = padded = 0
        for batch in itertools.islice(batches.after(Progress()), batches.per_epoch):
            pieces += sum(map(len, batch.sources)) + sum(map(len, batch.targets))
            collated = collate(*batch)
            padded += len(batch.sources) * max(collated.source.size(1), collated.target_in.size(1))
        return pieces, padded

    best = measure(None)
    ratios = {alpha: [x / y for x, y in zip(measure(alpha), best, strict=True)] for alpha in (0.5, 0.3, 0.2, 0.1)}
    print(ratios)
    assert ratios == {
        0.5: pytest.approx([1.03, 1.05], abs=0.02),
        0.3: pytest.approx([1.12, 1.15], abs=0.02),
        0.2: pytest.approx([1.32, 1.37], abs=0.02),
        0.1: pytest.approx([1.99, 2.05], abs=0.03),
    }
