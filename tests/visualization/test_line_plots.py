import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from seq2seq.errors import UserError
from seq2seq.evaluation.by_length import LengthBucket
from seq2seq.visualization.line_plots import length_figure, plot_by_length, spread

BUCKETS = [LengthBucket(1, 7, 23, 41.0), LengthBucket(8, 8, 19, 37.0), LengthBucket(9, 31, 17, 29.0)]
LOWER = [bucket._replace(bleu=bucket.bleu / 2) for bucket in BUCKETS]
UNASSIGNED = "\U000e8888"  # no font has it


def texts(figure) -> list[str]:
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text)]


def test_a_line_a_system_over_buckets_with_their_counts():
    figure = length_figure({"runs/a": BUCKETS, f"$b$ тест {UNASSIGNED}": LOWER})
    (axes,) = figure.axes
    lines = [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 3]
    assert lines == [[41.0, 37.0, 29.0], [20.5, 18.5, 14.5]]
    assert {"runs/a", "$b$ тест □", "1–7\n(23)", "8\n(19)", "9–31\n(17)"} <= set(texts(figure))
    assert "words of the source sentence (number of sentences)" in texts(figure)


def test_what_has_no_attention_has_a_panel_from_zero():
    left, right = length_figure({"a": BUCKETS, "none": LOWER}, without_attention=["none"]).axes
    assert left.get_ylim()[0] == 0
    assert [list(line.get_ydata()) for line in right.lines if len(line.get_xdata()) == 3] == [[41.0, 37.0, 29.0]]


def test_pictures_of_by_length(tmp_path):
    plot_by_length({"a": BUCKETS}, tmp_path / "a.png")
    plot_by_length({"a": BUCKETS}, tmp_path / "a.SVG")
    assert imread(tmp_path / "a.png").std() > 0.01
    assert "<!-- a -->" in (tmp_path / "a.SVG").read_text(encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.pdf: a picture's name ends with \.png or \.svg"):
        plot_by_length({"a": BUCKETS}, tmp_path / "a.pdf")


def test_systems_of_other_sources_do_not_go_together():
    with pytest.raises(ValueError, match="the systems' buckets differ: they are of other sources"):
        length_figure({"a": BUCKETS, "b": BUCKETS[:2]})


def test_labels_keep_their_distance():
    assert spread([0.5], 0.1) == pytest.approx([0.5])
    assert spread([0.2, 0.8], 0.1) == pytest.approx([0.2, 0.8])
    assert spread([0.5, 0.5, 0.5], 0.1) == pytest.approx([0.4, 0.5, 0.6])
    assert spread([0.95, 1.0, 1.0], 0.1) == pytest.approx([0.8, 0.9, 1.0])
    assert spread([0.0, 0.0], 0.1) == pytest.approx([0.0, 0.1])
