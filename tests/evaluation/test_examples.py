import pytest
import sacrebleu

from seq2seq.evaluation.examples import Example, choose_examples

SOURCES = ["one two", "one two three", "one", "one two three four"]
REFERENCES = ["the cat sleeps", "the black cat sleeps", "cats", "the black cat sleeps here"]
TRANSLATIONS = ["the cat sleeps", "the black cat sleeps", "dogs", "the BLACK CAT runs"]


def test_longest_best_and_worst():
    examples = choose_examples(SOURCES, TRANSLATIONS, REFERENCES, 2)
    assert [example.line for example in examples.longest] == [4, 2]
    assert [example.line for example in examples.best] == [2, 1]  # both perfect: the longer source first
    assert [example.line for example in examples.worst] == [3, 4]
    chrf = sacrebleu.sentence_chrf(TRANSLATIONS[3], [REFERENCES[3]]).score
    assert examples.longest[0] == Example(4, chrf, SOURCES[3], REFERENCES[3], TRANSLATIONS[3])


def test_case_is_ignored_on_request():
    cased, uncased = (choose_examples(SOURCES, TRANSLATIONS, REFERENCES, 1, lowercase) for lowercase in (False, True))
    assert uncased.longest[0].chrf == sacrebleu.sentence_chrf("the black cat runs", [REFERENCES[3]]).score
    assert cased.longest[0].chrf < uncased.longest[0].chrf


def test_more_than_there_are_gives_all():
    assert [len(chosen) for chosen in choose_examples(SOURCES, TRANSLATIONS, REFERENCES, 99)] == [4, 4, 4]


def test_sides_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="zip"):
        choose_examples(SOURCES, TRANSLATIONS[1:], REFERENCES, 1)
