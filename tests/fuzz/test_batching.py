"""Whatever the lengths: every pair once an epoch, within the budget."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.config import CorpusConfig, DataConfig
from seq2seq.data.batching import collate, even_batches, group_by_budget, length_batches
from seq2seq.data.filtering import RATIO_GRACE, keep_usable
from seq2seq.data.tokenizer import BOS, EOS, PAD

TIMES = settings().max_examples // 100  # 1 in the quick suite, more in `make fuzz`
LENGTHS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=200)
IDS = st.lists(st.integers(4, 99), max_size=7)


@settings(max_examples=25 * TIMES)
@given(LENGTHS, st.integers(1, 500), st.integers(0, 5))
def test_every_pair_once_within_the_budget(lengths: list[tuple[int, int]], budget: int, seed: int):
    sources, targets = zip(*lengths, strict=True)
    batches = length_batches(sources, targets, budget, seed)
    assert sorted(itertools.chain(*batches)) == list(range(len(lengths)))
    for batch in batches:
        longest = max(max(sources[i], targets[i]) + 1 for i in batch)
        assert len(batch) * longest <= budget or len(batch) == 1
    again = length_batches(np.array(sources), np.array(targets), budget, seed)
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in batches]


@settings(max_examples=25 * TIMES)
@given(LENGTHS, st.integers(1, 20), st.integers(0, 5))
def test_even_batches_have_every_pair_once_and_are_even(lengths: list[tuple[int, int]], num_batches: int, seed: int):
    sources, targets = zip(*lengths, strict=True)
    num_batches = min(num_batches, len(lengths))
    batches = even_batches(sources, targets, num_batches, seed)
    assert len(batches) == num_batches
    assert sorted(itertools.chain(*batches)) == list(range(len(lengths)))
    longest = np.maximum(sources, targets) + 1
    for batch in batches:
        assert len(batch) >= 1
        assert longest[batch].sum() <= longest.sum() / num_batches + longest[batch].max()
    again = even_batches(sources, targets, num_batches, seed)
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in batches]


@settings(max_examples=15 * TIMES)
@given(st.lists(st.integers(0, 60), max_size=99), st.integers(1, 200))
def test_groups_are_the_sequence_and_no_two_neighbours_fit_together(lengths: list[int], budget: int):
    lengths = sorted(lengths)
    groups = [lengths[group] for group in group_by_budget(lengths, budget)]
    assert list(itertools.chain(*groups)) == lengths
    for group, following in itertools.zip_longest(groups, groups[1:]):
        assert len(group) * group[-1] <= budget or len(group) == 1
        assert following is None or (len(group) + 1) * following[0] > budget


@settings(max_examples=15 * TIMES)
@given(LENGTHS, st.integers(1, 50), st.floats(1.0, 9.0))
def test_what_is_left_out_is_counted_and_nothing_else(lengths: list[tuple[int, int]], longest: int, ratio: float):
    place = CorpusConfig(hub="a")
    data = DataConfig(
        source_language="a", target_language="b", train=place, validation=place,
        max_length=longest, max_length_ratio=ratio,
    )  # fmt: skip
    kept, dropped = keep_usable(*zip(*lengths, strict=True), data)
    assert len(kept) + sum(dropped) == len(lengths)
    for i, (source, target) in enumerate(lengths):
        unequal = max(source, target) > max(ratio * min(source, target), min(source, target) + RATIO_GRACE)
        assert (i in kept) == (min(source, target) > 0 and max(source, target) <= longest and not unequal)


@settings(max_examples=15 * TIMES)
@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=9))
def test_a_batch_holds_its_pairs_and_padding(pairs: list[tuple[list[int], list[int]]]):
    sources, targets = zip(*pairs, strict=True)
    batch = collate(sources, targets)
    for row, (source, target) in enumerate(pairs):
        for ids, mask, expected in [
            (batch.source, batch.source_mask, [*source, EOS]),
            (batch.target_in, batch.target_mask, [BOS, *target]),
            (batch.target_out, batch.target_mask, [*target, EOS]),
        ]:
            assert ids[row][mask[row]].tolist() == expected
            assert set(ids[row][~mask[row]].tolist()) <= {PAD}
