import pytest

from seq2seq.errors import DataError
from seq2seq.evaluation.by_length import bleu_by_source_length


def test_bleu_by_source_length_worked_by_hand():
    # ten sources of 1, 1, 2, 2, 2, 3, 5, 5, 8, 9 words: the shares .2 .4 .6 .8 .9 fall on 1, 2, 3, 5, 8
    lengths = [9, 1, 2, 5, 2, 8, 1, 3, 2, 5]
    sources = [" ".join("x" * length) for length in lengths]
    references = [f"sentence number {index} of the test set" for index in range(10)]
    translations = ["nothing of that kind" if length >= 8 else r for length, r in zip(lengths, references, strict=True)]
    buckets = bleu_by_source_length(sources, translations, references, "en")
    assert [bucket[:3] for bucket in buckets] == [(1, 1, 2), (2, 2, 3), (3, 3, 1), (4, 5, 2), (6, 8, 1), (9, 9, 1)]
    assert [bucket.bleu for bucket in buckets[:4]] == pytest.approx([100] * 4)
    assert all(bucket.bleu < 20 for bucket in buckets[4:])


def test_sources_of_one_length_are_one_bucket():
    lines = ["the cat sat on the mat .", "a dog barks at the cat ."]
    (bucket,) = bleu_by_source_length(["a b", "c d"], lines, lines, "en")
    assert bucket[:3] == (2, 2, 2)
    assert bucket.bleu == pytest.approx(100)


def test_by_length_unequal_counts_and_nothing_are_refused():
    with pytest.raises(DataError, match="2 translations and 2 references for 1 sources"):
        bleu_by_source_length(["a"], ["a", "b"], ["a", "b"], "en")
    with pytest.raises(DataError, match="no sentences to score"):
        bleu_by_source_length([], [], [], "en")
