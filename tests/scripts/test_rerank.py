import shutil

import pytest

import rerank
from measuring.n_best import Candidate
from seq2seq import Translator
from seq2seq.cli import main as cli

CANDIDATES = [
    Candidate(0, -0.2, "the cat is on a mat"),
    Candidate(0, -0.4, "the cat sat on the mat"),
    Candidate(1, -0.3, "some dog barked at the old man"),
    Candidate(1, -0.5, "a dog barked at the man"),
    Candidate(1, -0.6, "a dog barked at an old man"),
]
FIRST = [-0.9, -0.1, -0.1, -0.5, -0.2]
SECOND = [-0.2, -0.2, float("-inf"), -0.2, -0.2]


@pytest.mark.parametrize(
    ("scores", "weights", "expected"),
    [
        ([FIRST], [0], (0, 2)),
        ([FIRST], [0.2], (0, 2)),  # the first's sums are -0.38 and -0.42
        ([FIRST], [0.3], (1, 2)),  # -0.47 and -0.43
        ([FIRST, SECOND], [0.3, 1], (1, 3)),  # the second's -0.85 and -0.86
        ([FIRST, SECOND], [0.4, 1], (1, 4)),  # -0.9 and -0.88
        ([SECOND, FIRST], [0, 2], (1, 2)),
    ],
)
def test_the_highest_weighted_sum_is_chosen(scores, weights, expected):
    assert rerank.choose(CANDIDATES, scores, weights) == [CANDIDATES[line].text for line in expected]


def test_weights_are_sought_that_choose_best():
    references = [CANDIDATES[1].text, CANDIDATES[3].text]
    weights, reached = rerank.tune(CANDIDATES, [FIRST, SECOND], references)
    assert weights == [0.3, 0.1]  # the least that choose these: the second need only count
    assert reached == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("way", "source", "target"), [("forward", "a b", "b c a"), ("reversed", "a b", "a c b"), ("back", "b c a", "a b")]
)
def test_each_model_is_asked_what_it_knows(toy_run, way, source, target):
    translator = Translator.load(toy_run, "cpu")
    candidates = [Candidate(1, -0.1, "b c a"), Candidate(0, -0.1, "")]
    first, blank = rerank.score(rerank.Model(way, toy_run), translator, ["", "a b"], candidates, {})
    (result,) = translator.align([source], [target])
    assert first == pytest.approx(result.log_prob / len(result.tokens), abs=1e-6)
    assert blank == 0.0  # the one translation of a blank line


@pytest.fixture
def folder(tmp_path, toy_run):
    for name in ("test.in", "test.out"):
        shutil.copy(toy_run.parent / name, tmp_path / name)
    return tmp_path


def test_from_list_to_translations(folder, toy_run, capsys):
    """The task is to spell backwards, so a model translates back, too. It is the same one: the best is better still."""
    source, references, output = folder / "test.in", folder / "test.out", folder / "out"
    n_best = folder / "n_best"
    listed = ["--n-best", "5", "--scores", "--input", str(source), "--output", str(n_best)]
    assert cli(["translate", str(toy_run), *listed]) == 0
    arguments = [str(n_best), str(source), "--back", str(toy_run)]
    assert rerank.main([*arguments, "--references", str(references)]) == 0
    found, rest = capsys.readouterr().out.split(": ")
    reached, before = (float(part.split()[0]) for part in rest.split(", "))
    assert reached > before
    assert rerank.main([*arguments, *found.split(), "--output", str(output)]) == 0
    assert capsys.readouterr().out == ""
    assert rerank.BLEU().corpus_score(
        output.read_text(encoding="utf-8").splitlines(), [references.read_text(encoding="utf-8").splitlines()]
    ).score == pytest.approx(reached, abs=0.01)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1\ta cat", "n_best: its lines have no scores; seq2seq translate --n-best N --scores writes them"),
        ("2\t-1\ta cat", "n_best: no translation of sentence 1 of 2"),
        ("0\t-1\ta cat", "n_best: line 1: sentence 0; {folder}/sources has 2 lines"),
        ("1\thigh\ta cat", "n_best: line 1: 'high' is not a number"),
        ("1\t-1\ta cat\t0-0", "n_best: line 1: expected a sentence's number, a tab and a translation, or a score"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_written(tmp_path, capsys, line, message):
    (tmp_path / "sources").write_text("a\nb\n", encoding="utf-8")
    (tmp_path / "n_best").write_text(f"{line}\n2\tb\n" if line == "1\ta cat" else f"{line}\n", encoding="utf-8")
    paths = [str(tmp_path / name) for name in ("n_best", "sources")]
    assert rerank.main([*paths, "--back", "absent", "--weights", "1", "--output", str(tmp_path / "out")]) == 2
    assert message.format(folder=tmp_path) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--back", "absent", "--weights", "1", "2"], "2 weights for 1 models: give one for each"),
        (["--back", "absent", "--weights", "-1"], "'-1' is not a number from 0 up"),
        (["--back", "absent"], "one of the arguments --references --weights is required"),
        (["--weights", "1"], "name another model: --forward, --reversed or --back RUN"),
        (
            ["--back", "absent", "--weights", "1", "--output", "{folder}/test.in"],
            "test.in: is read, and would be written over",
        ),
    ],
)
def test_arguments_that_make_no_sense(folder, capsys, arguments, message):
    (folder / "n_best").write_text("1\t-1\ta\n", encoding="utf-8")
    before = (folder / "test.in").read_text(encoding="utf-8")
    texts = [text.format(folder=folder) for text in arguments]
    try:
        status = rerank.main([str(folder / "n_best"), str(folder / "test.in"), *texts])
    except SystemExit as exit:
        status = exit.code
    assert status == 2
    assert message in capsys.readouterr().err
    assert (folder / "test.in").read_text(encoding="utf-8") == before
