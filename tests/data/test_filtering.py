import pytest

from seq2seq.config import CorpusConfig, DataConfig
from seq2seq.data.filtering import Dropped, keep_usable, require_some
from seq2seq.errors import DataError


def limits(max_length: int, max_length_ratio: float) -> DataConfig:
    corpus = CorpusConfig(source="x", target="y")
    return DataConfig(
        source_language="en",
        target_language="de",
        train=corpus,
        validation=corpus,
        max_length=max_length,
        max_length_ratio=max_length_ratio,
    )


def test_counts_what_it_drops():
    sources, targets = [3, 0, 4, 0, 11, 5, 1, 10], [3, 4, 0, 0, 5, 11, 10, 10]
    kept, dropped = keep_usable(sources, targets, limits(10, 2.0))
    assert kept.tolist() == [0, 7]
    assert dropped == Dropped(3, 2, 1)


@pytest.mark.parametrize(
    ("lengths", "kept"),
    [
        ((1, 6), True),  # six times as long, but only five tokens more
        ((1, 7), False),
        ((7, 1), False),
        ((6, 12), True),  # exactly twice
        ((6, 13), False),
    ],
)
def test_length_ratio(lengths: tuple[int, int], kept: bool):
    source, target = lengths
    indices, dropped = keep_usable([source, 1], [target, 1], limits(99, 2.0))
    assert indices.tolist() == ([0, 1] if kept else [1])
    assert dropped == Dropped(empty=0, too_long=0, ratio=int(not kept))


def test_a_pair_is_counted_under_its_first_fault():
    _, dropped = keep_usable([0, 1, 1], [99, 99, 1], limits(10, 2.0))
    assert dropped == Dropped(empty=1, too_long=1, ratio=0)


def test_refuses_a_corpus_without_usable_pairs():
    kept, dropped = keep_usable([0, 0, 21, 1], [0, 5, 20, 9], limits(20, 2.5))
    message = (
        r"no usable pairs in the training corpus: of 4, 2 have an empty side, 1 are longer than max_length=20 tokens, "
        r"1 exceed max_length_ratio=2\.5"
    )
    with pytest.raises(DataError, match=message):
        require_some(len(kept), dropped, limits(20, 2.5))
    require_some(1, dropped, limits(20, 2.5))
