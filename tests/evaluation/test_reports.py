import pytest

from seq2seq.evaluation.held_out import HeldOut
from seq2seq.evaluation.reports import format_report
from seq2seq.evaluation.systems import System, evaluate_systems

TEXT = ["the cat sat on the mat", "a dog barks at the cat", "she reads a long book today"]
HELD_OUT = HeldOut(["eins", "zwei drei", "vier fünf sechs"], TEXT, "en", [])


def test_systems_stand_in_columns_whatever_their_names():
    systems = [System("r", TEXT, file="日本.txt"), System("r", [*TEXT[:2], "nothing of that"], file="theirs.en")]
    evaluations = evaluate_systems(systems, HELD_OUT, by_length=True)
    assert [evaluation.scores["bleu"].p_value is None for evaluation in evaluations] == [True, False]
    lines = format_report(evaluations).splitlines()
    assert lines[1] == "  日本.txt  100.00 (μ = 100.00 ± 0.00)   baseline"
    assert lines[2].startswith("  theirs.en  ")
    assert [line.split()[0] for line in lines if line and line[0] != " "] == [
        "BLEU", "chrF", "TER", "words", "sentences", "BLEU", "BLEU"
    ]  # fmt: skip
    assert lines[-4:-2] == [
        "words of the source       1       2       3",
        "sentences                 1       1       1",
    ]
    assert lines[-2] == "BLEU of 日本.txt     100.00  100.00  100.00"


def test_one_system_is_a_line_a_metric():
    (evaluation,) = evaluate_systems([System("r", TEXT)], HELD_OUT, examples=1)
    report = format_report([evaluation])
    assert report.startswith(f"BLEU 100.00   {evaluation.scores['bleu'].signature}\nchrF 100.00   nrefs:1|")
    assert "\n\nworst:\n  line 3, chrF 100.00\n    source       vier fünf sechs\n    reference    she reads" in report
    assert evaluation.record()["by_length"] is evaluation.record()["overlap"] is None


def test_systems_of_one_name_are_refused():
    with pytest.raises(ValueError, match="systems need names of their own: r, r"):
        evaluate_systems([System("r", TEXT), System("r", TEXT)], HELD_OUT)
