import pytest

from seq2seq.errors import DataError
from seq2seq.inference.evaluation import score_translations


def test_perfect_translations():
    lines = ["the cat sat on the mat .", "a dog barks at the small cat ."]
    scores = score_translations(lines, lines, "en")
    assert scores["bleu"].score == pytest.approx(100)
    assert scores["chrf"].score == pytest.approx(100)
    assert scores["ter"].score == 0
    assert "tok:13a" in scores["bleu"].signature


def test_chinese_is_tokenized_as_chinese():
    assert "tok:zh" in score_translations(["你好"], ["你好"], "zh", ["bleu"])["bleu"].signature


def test_unequal_counts_are_refused():
    with pytest.raises(DataError, match="1 translations for 2 references"):
        score_translations(["a"], ["a", "b"], "en")


def test_nothing_to_score_is_refused():
    with pytest.raises(DataError, match="no sentences to score"):
        score_translations([], [], "en")
