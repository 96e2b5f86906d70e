import pytest

import closest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "references").write_text("the cat sat on the mat\na dog\n", encoding="utf-8")
    return tmp_path


def run(folder, lines: str) -> int:
    (folder / "n_best").write_text(lines, encoding="utf-8")
    return closest.main([str(folder / name) for name in ("n_best", "references")] + ["--output", str(folder / "out")])


def test_the_closest_of_each_list_is_taken(folder, capsys):
    lists = "1\tthe cat was there\n1\tthe cat sat on a mat\n1\tnothing at all\n2\ta dog\n2\tone dog\n"
    assert run(folder, lists) == 0
    assert (folder / "out").read_text(encoding="utf-8") == "the cat sat on a mat\na dog\n"
    assert capsys.readouterr().out == f"{folder}/out: 2 translations, 1 of them not the first in their list\n"


def test_scores_may_stand_between_and_of_equally_close_ones_the_first_is_taken(folder):
    assert run(folder, "2\t-0.5\tzwei\n2\t-0.7\tdrei\n1\t-0.1\tthe mat\n") == 0
    assert (folder / "out").read_text(encoding="utf-8") == "the mat\nzwei\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("1\ta cat\ntwo\ta dog\n", "n_best: line 2: expected a sentence's number, a tab and a translation"),
        ("1\ta cat\t0-0\n2\ta dog\t0-0\n", "n_best: line 1: 'a cat' is not a number"),
        ("1\t-0.1\ta cat\t0-0\n", "n_best: line 1: expected"),
        ("1\n", "n_best: line 1: expected a sentence's number"),
        ("1\ta cat\n3\ta dog\n", "n_best: line 2: sentence 3; {folder}/references has 2 lines"),
        ("0\ta cat\n", "n_best: line 1: sentence 0; {folder}/references has 2 lines"),
        ("1\ta cat\n", "n_best: no translation of sentence 2 of 2"),
        ("", "n_best is empty"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_written(folder, capsys, lines, message):
    assert run(folder, lines) == 2
    assert message.format(folder=folder) in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_missing_file_is_named(folder, capsys):
    assert closest.main(["absent", str(folder / "references"), "--output", str(folder / "out")]) == 2
    assert capsys.readouterr().err.startswith("closest: error: absent")
