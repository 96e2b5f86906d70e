import itertools

import pytest
import torch

from seq2seq.visualization.labels import display_width, readable
from seq2seq.visualization.panels import Panel
from seq2seq.visualization.terminal import draw_attention, draw_panels

SOURCE = ["▁I", "▁am", "▁a", "▁stud", "ent", ".", "</s>"]
PIECES = ["▁the", "▁Wg", "▁extraordinarily", "ly", "<0xE2>", "▁É", "▁$x$"]


def pieces(count: int) -> list[str]:
    return list(itertools.islice(itertools.cycle(PIECES), count))


def random_weights(*shape: int) -> torch.Tensor:
    return torch.randn(*shape).mul(2).softmax(-1)


def test_no_pieces() -> None:
    with pytest.raises(ValueError, match="none of them empty"):
        draw_attention([], ["▁a"], torch.zeros(1, 0), 80)


def test_weights_must_be_finite(tmp_path) -> None:
    with pytest.raises(ValueError, match="not finite"):
        draw_attention(["▁a"], ["▁b"], torch.tensor([[float("nan")]]), 80)


def test_drawing_by_hand() -> None:
    weights = torch.tensor([[0.0, 1.0, 0.0], [0.25, 0.0, 0.75]])
    # The largest weight is 1, so weights of 0, 0.25, 0.75 and 1 are the shades 0, 1, 3 and 4 of " ░▒▓█".
    assert draw_attention(["▁I", "▁am", "ok"], ["▁je", "▁suis"], weights, 80).split("\n") == [
        "          ·           ",
        "        a o           ",
        "      I m k           ",
        "je   │  ██  │ am  1.00",
        "suis │░░  ▓▓│ ·ok 0.75",
        "",
        "░ from 0.12  ▒ from 0.38  ▓ from 0.62  █ from 0.88",
    ]


@pytest.mark.parametrize("width", [30, 40, 80, 200])
@pytest.mark.parametrize(
    "source",
    [SOURCE, pieces(60), ["▁我", "是", "学生", "。"], ["▁e\u0301te\u0301", "▁हिन्दी", "▁سلام"], ["▁" + "w" * 90]],
)
def test_drawing_lines_up_and_fits(source: list[str], width: int) -> None:
    target = ["▁je", "▁日本語", "e\u0301te\u0301", "▁" + "long" * 30]
    weights = random_weights(4, len(source))
    *blocks, legend = draw_attention(source, target, weights, width).split("\n\n")
    assert legend.startswith("░ from ")
    num_columns = 0
    for block in blocks:
        lines = block.split("\n")
        assert len({display_width(line) for line in lines}) == 1
        assert display_width(lines[0]) <= width
        rows = [line for line in lines if "│" in line]
        assert len(rows) == len(target)
        assert len({(display_width(r[: r.index("│")]), display_width(r[: r.rindex("│")])) for r in rows}) == 1
        first = rows[0]
        num_columns += (first.rindex("│") - first.index("│") - 1) // 2
        for row, weight in zip(rows, weights, strict=True):
            label = readable(source)[int(weight.argmax())]
            best, value = row.split("│")[2].replace("\u200e", "").rsplit(maxsplit=1)
            assert value == f"{weight.max():.2f}"
            assert label.startswith(best.strip().rstrip("…"))
    assert num_columns == len(source)


def test_panels_one_below_the_other_in_the_same_shades() -> None:
    one = Panel(["▁I"], ["▁je"], torch.tensor([[[0.6]]]), "first run")
    other = Panel(["▁I"], ["▁tu"], torch.tensor([[[1.0]], [[0.0]]]), "second", ["left", "right"])
    # 0.6 of the largest weight, 1, is the shade 2.4 of 4.
    assert draw_panels([one, other], 80).split("\n") == [
        "first run",
        "",
        "    I         ",
        "je │▒▒│ I 0.60",
        "",
        "second",
        "",
        "left",
        "    I         ",
        "tu │██│ I 1.00",
        "",
        "right",
        "    I         ",
        "tu │  │ I 0.00",
        "",
        "░ from 0.12  ▒ from 0.38  ▓ from 0.62  █ from 0.88",
    ]


def test_arabic_and_hebrew_do_not_turn_a_line_round() -> None:
    drawing = draw_attention(["▁سلام", "▁a"], ["▁שלום"], torch.tensor([[1.0, 0.0]]), 80)
    label, row = next(line for line in drawing.split("\n") if "س" in line), drawing.split("\n")[-3]
    assert label == "      \u200eس \u200e             "
    assert row == "\u200eשלום\u200e │██  │ \u200eسلام\u200e 1.00"
