import itertools
import re

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from seq2seq.errors import UserError
from seq2seq.inference.labels import display_width, fit, fonts_for, readable, stacked
from seq2seq.inference.plots import attention_figure, draw_attention, plot_attention

SOURCE = ["▁I", "▁am", "▁a", "▁stud", "ent", ".", "</s>"]
TARGET = ["▁je", "▁suis", "▁étudi", "ant", "</s>"]
PIECES = ["▁the", "▁Wg", "▁extraordinarily", "ly", "<0xE2>", "▁É", "▁$x$"]
UNASSIGNED = "\U000e8888"  # no font has it


def pieces(count: int) -> list[str]:
    return list(itertools.islice(itertools.cycle(PIECES), count))


def random_weights(*shape: int) -> torch.Tensor:
    return torch.randn(*shape).mul(2).softmax(-1)


def shown(figure) -> list[tuple[Text, Bbox]]:
    """Every text on the figure with its extent, as it is drawn."""
    figure.draw_without_rendering()
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [axes.xaxis.label, axes.yaxis.label]
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in axis.get_major_ticks():  # a colour bar keeps ticks beyond its ends, and does not draw them
                if min(limits) <= tick.get_loc() <= max(limits):
                    texts += [label for label in (tick.label1, tick.label2) if label.get_visible()]
    return [(text, text.get_window_extent()) for text in texts if text.get_text().strip()]


def test_readable_marks_what_continues_a_word() -> None:
    assert readable(SOURCE) == ["I", "am", "a", "stud", "·ent", ".", "</s>"]


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ("<0xE2>", "⟨E2⟩"),
        ("▁", "▁"),
        ("▁New▁York", "New York"),
        ("é", "·é"),
        ("7", "·7"),
        ("ا", "·ا"),
        ("学生", "学生"),
        ("'", "'"),
        ("<unk>", "<unk>"),
        ("a\nb", "·a�b"),
    ],
)
def test_readable_piece(given: str, label: str) -> None:
    assert readable(["▁a", given])[1] == label


@pytest.mark.parametrize(
    ("num_sources", "num_targets"), [(1, 1), (1, 60), (60, 1), (5, 5), (12, 5), (5, 31), (30, 30), (60, 60)]
)
def test_labels_neither_overlap_nor_are_cut(num_sources: int, num_targets: int) -> None:
    weights = random_weights(1, num_targets, num_sources)
    figure, missing = attention_figure(pieces(num_sources), pieces(num_targets), weights, "A title of some length")
    assert missing == ""
    texts = shown(figure)
    assert len(texts) >= num_sources + num_targets + 4  # and the title, two axes and the colour bar
    for text, extent in texts:
        assert figure.bbox.x0 <= extent.x0, text
        assert extent.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= extent.y0, text
        assert extent.y1 <= figure.bbox.y1, text
    for (text, extent), (other, other_extent) in itertools.combinations(texts, 2):
        assert not extent.overlaps(other_extent), (text, other)
    cells = [axes.get_window_extent() for axes in figure.axes]
    assert not any(extent.overlaps(box) for _, extent in texts for box in cells)


@pytest.mark.parametrize(("num_heads", "size"), [(2, 1), (8, 1), (3, 7), (8, 7), (5, 37)])
def test_heads_are_panels(num_heads: int, size: int) -> None:
    weights = random_weights(num_heads, size + 1, size)
    figure, _ = attention_figure(pieces(size), pieces(size + 1), weights)
    *panels, _bar = figure.axes
    assert [panel.get_xlabel() for panel in panels] == [f"head {n + 1}" for n in range(num_heads)]
    for panel, expected in zip(panels, weights, strict=True):
        (mesh,) = panel.collections
        np.testing.assert_allclose(mesh.get_array(), expected)
        assert mesh.get_clim() == figure.axes[0].collections[0].get_clim()
    extents = [extent for _, extent in shown(figure)] + [panel.get_window_extent() for panel in panels]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(extents, 2))


def test_png_is_dark_where_the_weight_is(tmp_path) -> None:
    weights = torch.zeros(1, 3, 3)
    for row, column in enumerate((1, 2, 0)):
        weights[0, row, column] = 1
    figure, _ = attention_figure(SOURCE[:3], TARGET[:3], weights)
    plot_attention(SOURCE[:3], TARGET[:3], weights, tmp_path / "a.PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["a.PNG"]  # and nothing temporary
    pixels = imread(tmp_path / "a.PNG", format="png")[..., :3].mean(-1)  # grey: the picture may be printed
    assert pixels.shape == (int(figure.bbox.height), int(figure.bbox.width))
    panel = figure.axes[0].get_window_extent()
    for row, column in itertools.product(range(3), range(3)):
        x = panel.x0 + panel.width * (column + 0.5) / 3
        y = figure.bbox.height - panel.y1 + panel.height * (row + 0.5) / 3
        assert (pixels[int(y), int(x)] < 0.3) == bool(weights[0, row, column])


def test_darkness_grows_with_the_weight_in_grey() -> None:
    figure, _ = attention_figure(["▁a"], ["▁b"], torch.ones(1, 1, 1))
    colours = figure.axes[0].collections[0].cmap(np.linspace(0, 1, 11))
    assert (np.diff(colours[:, :3] @ [0.299, 0.587, 0.114]) < -0.03).all()


def test_spread_out_attention_is_not_drawn_dark() -> None:
    figure, _ = attention_figure(pieces(10), ["▁b"], torch.full((1, 1, 10), 0.1))
    assert figure.axes[0].collections[0].get_clim() == (0, 0.5)


def test_svg_has_the_labels(tmp_path) -> None:
    assert plot_attention(SOURCE, TARGET, random_weights(1, 5, 7).numpy(), tmp_path / "a.svg", "so <small> & $5") == ""
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    for label in ("I", "stud", "·ent", "étudi", "·ant", "source", "translation", "attention weight"):
        assert f"<!-- {label} -->" in text


def test_dollars_are_no_formula(tmp_path) -> None:
    source = ["▁$x^2$", "▁$5", "▁$\\frac$"]
    figure, _ = attention_figure(source, source, random_weights(2, 3, 3), title="$a_1$ $\\bad$")
    texts = [t for t, _ in shown(figure) if "$" in t.get_text()]
    assert {t.get_text() for t in texts} >= {"$x^2$", "$5", "$\\frac$", "$a_1$ $\\bad$"}
    assert not any(t.get_parse_math() for t in texts)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_characters_without_a_font_are_reported_and_boxed(tmp_path, suffix: str) -> None:
    source = [f"▁a{UNASSIGNED}b", "▁b"]
    assert plot_attention(source, ["▁b"], random_weights(1, 1, 2), tmp_path / f"a.{suffix}", UNASSIGNED) == UNASSIGNED
    figure, _ = attention_figure(source, ["▁b"], random_weights(1, 1, 2), UNASSIGNED)
    assert {"a□b", "□"} <= {text.get_text() for text, _ in shown(figure)}


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_every_script_is_drawn_or_reported(tmp_path, suffix: str) -> None:
    texts = [
        "我是学生。",
        "私は",
        "أنا طالب",
        "שלום",
        "हिन्दी",
        "Привет",
        "ไทย",
        "한국어",
        "😀",
        "a\u2cf1",
        "می\u200cخواهم",
    ]
    characters = sorted(set("".join(texts)))
    weights = random_weights(1, len(characters), len(texts))
    missing = plot_attention(["▁" + text for text in texts], characters, weights, tmp_path / f"a.{suffix}", texts[0])
    assert missing == "".join(c for c in characters if c in missing)
    assert not set(missing) & set("طالبשלוםПривет")  # DejaVu Sans has these


def test_bundled_font_has_the_marks_of_our_own() -> None:
    assert fonts_for("·⟨⟩�□▁éЖאع") == (["DejaVu Sans"], "")


def test_further_font_is_found() -> None:
    families, missing = fonts_for("a⎸")  # STIXSizeOneSym, which comes with matplotlib, has it, and DejaVu Sans has not
    assert (families[0], len(families), missing) == ("DejaVu Sans", 2, "")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 5, 6), r"weights have shape \(1, 5, 6\), but there are 5 target and 7 source pieces"),
        ((1, 7, 5), r"weights have shape \(1, 7, 5\)"),
        ((0, 5, 7), r"accepted: \[\.\.\., target, source\], none of them empty"),
    ],
)
def test_weights_must_fit_the_pieces(tmp_path, shape, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot_attention(SOURCE, TARGET, torch.zeros(shape), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_no_pieces() -> None:
    with pytest.raises(ValueError, match="none of them empty"):
        draw_attention([], ["▁a"], torch.zeros(1, 0), 80)


def test_weights_must_be_finite(tmp_path) -> None:
    with pytest.raises(ValueError, match="not finite"):
        draw_attention(["▁a"], ["▁b"], torch.tensor([[float("nan")]]), 80)


@pytest.mark.parametrize("name", ["a.pdf", "a", "a.png.txt"])
def test_other_suffixes_are_refused(tmp_path, name: str) -> None:
    with pytest.raises(UserError, match=re.escape(name) + r": a picture's name ends with \.png or \.svg"):
        plot_attention(["▁a"], ["▁b"], torch.ones(1, 1, 1), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_missing_folder(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        plot_attention(["▁a"], ["▁b"], torch.ones(1, 1, 1), tmp_path / "nowhere" / "a.png")


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("a\u200db", 2), ("ｶﾞ", 2), ("한", 2), ("", 0)]
)
def test_display_width(text: str, width: int) -> None:
    assert display_width(text) == width


@pytest.mark.parametrize(
    ("text", "width", "result"),
    [
        ("ab", 4, "ab  "),
        ("日本", 5, "日本 "),
        ("abcdef", 4, "abc…"),
        ("日本語", 4, "日… "),
        ("e\u0301e", 3, "e\u0301e "),
    ],
)
def test_fit(text: str, width: int, result: str) -> None:
    assert fit(text, width) == result
    assert display_width(result) == width


def test_stacked_keeps_marks_on_their_letters() -> None:
    assert stacked("ae\u0301日") == ["a ", "e\u0301 ", "日"]


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
            best, value = row.split("│")[2].rsplit(maxsplit=1)
            assert value == f"{weight.max():.2f}"
            assert label.startswith(best.strip().rstrip("…"))
    assert num_columns == len(source)
