import pytest

from seq2seq.config import DataConfig
from seq2seq.errors import DataError
from seq2seq.inference.overlap import count_overlap, training_pairs


def test_pairs_and_sources_are_counted_without_case_and_form():
    test = [
        ("A cat.", "Eine Katze."),
        ("A cat.", "Eine Katze."),  # twice in the test set: counted twice
        ("A dog.", "Ein Hund."),
        ("Ｆｕｌｌ width", "Straße"),
        ("new", "neu"),
        ("ca\u0301t", "y"),
    ]
    training = iter(
        [("a CAT.", "eine katze."), ("A dog.", "Der Hund."), ("Full width", "STRASSE"), ("x", "neu"), ("c\u00e1t", "z")]
    )
    assert count_overlap(test, training) == (3, 5, 6)


def test_a_pair_needs_both_sides_of_one_line():
    test = [("a", "1"), ("b", "2")]
    assert count_overlap(test, [("a", "2"), ("b", "1")]) == (0, 2, 2)
    assert count_overlap(test, []) == (0, 0, 2)


def test_training_text_of_a_run(tmp_path):
    for name in ("train.en", "train.de"):
        (tmp_path / name).write_text(f"{name} 1\n{name} 2\n")
    files = {"source": f"{tmp_path}/train.en", "target": f"{tmp_path}/train.de"}
    data = DataConfig.model_validate(
        {"source_language": "en", "target_language": "de", "train": files, "validation": files}
    )
    assert list(training_pairs(data)) == [("train.en 1", "train.de 1"), ("train.en 2", "train.de 2")]
    (tmp_path / "train.de").unlink()
    with pytest.raises(DataError, match=r"train\.de: cannot read the file"):
        next(training_pairs(data))
