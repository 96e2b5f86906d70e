import itertools
import re

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from seq2seq.errors import UserError
from seq2seq.visualization.labels import display_width, fit, fonts_for, readable, stacked
from seq2seq.visualization.panels import Panel
from seq2seq.visualization.plots import attention_figure, panels_figure, plot_attention, plot_panels

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


def check_layout(figure) -> None:
    """No label is cut by the figure's edge, or overlaps another one or a heat map."""
    texts = shown(figure)
    for text, extent in texts:
        assert figure.bbox.x0 <= extent.x0, text
        assert extent.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= extent.y0, text
        assert extent.y1 <= figure.bbox.y1, text
    for (text, extent), (other, other_extent) in itertools.combinations(texts, 2):
        assert not extent.overlaps(other_extent), (text, other)
    cells = [axes.get_window_extent() for axes in figure.axes]
    assert not any(extent.overlaps(box) for _, extent in texts for box in cells)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(cells, 2))


@pytest.mark.parametrize(
    ("num_sources", "num_targets"), [(1, 1), (1, 60), (60, 1), (5, 5), (12, 5), (5, 31), (30, 30), (60, 60)]
)
def test_labels_neither_overlap_nor_are_cut(num_sources: int, num_targets: int) -> None:
    weights = random_weights(1, num_targets, num_sources)
    figure, missing = attention_figure(pieces(num_sources), pieces(num_targets), weights, "A title of some length")
    assert missing == ""
    assert len(shown(figure)) >= num_sources + num_targets + 4  # and the title, two axes and the colour bar
    check_layout(figure)


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
    check_layout(figure)


LONG_TITLE = "a-run-with-a-very-long-name-of-its-own: scaled_dot attention (entmax15), luong decoder, score\u00a0-0.123"
GRIDS = {  # rows of (heads, target pieces, source pieces, title)
    "sentences": [[(1, 5, 7, "A")], [(1, 13, 11, LONG_TITLE)], [(1, 1, 1, "")], [(1, 1, 2, LONG_TITLE)]],
    "runs": [[(1, 5, 7, "A"), (1, 3, 5, LONG_TITLE), (1, 7, 11, LONG_TITLE)]],
    "heads": [[(1, 5, 7, "A"), (8, 3, 5, LONG_TITLE), (3, 1, 1, "")]],
    "both": [[(2, 1, 1, LONG_TITLE), (1, 1, 1, "")], [(1, 13, 1, ""), (5, 2, 17, "B")], [(1, 1, 3, ""), (1, 2, 1, "")]],
    "short_last_row": [[(1, 5, 7, "A"), (4, 3, 5, "B")], [(1, 7, 11, LONG_TITLE)]],
    "long": [[(1, 31, 2, "A"), (2, 5, 37, "B")], [(1, 2, 3, ""), (1, 3, 2, LONG_TITLE)]],
}


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("words", [("source", "translation"), ("a long word for an axis",) * 2])
def test_grid_layout(name: str, words: tuple[str, str]) -> None:
    grid = [
        [Panel(pieces(s), pieces(t), random_weights(n, t, s), title) for n, t, s, title in row] for row in GRIDS[name]
    ]
    figure, missing = panels_figure(grid, *words)
    assert missing == ""
    check_layout(figure)
    *maps, _bar = figure.axes
    drawn = [mesh.get_array() for axes in maps for mesh in axes.collections]
    expected = [weights for row in grid for panel in row for weights in panel.weights]
    for array, weights in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(array, weights)
    assert {axes.collections[0].get_clim() for axes in maps} == {(0, max(weights.max() for weights in expected))}
    boxes = iter(axes.get_window_extent() for axes in maps)
    of_panels = [[[next(boxes) for _ in panel.weights] for panel in row] for row in grid]
    assert all(len({round(heads[0].y1, 3) for heads in row}) == 1 for row in of_panels)
    assert all(len({round(heads[0].x0, 3) for heads in column}) == 1 for column in zip(*of_panels, strict=False))
    texts = [text.get_text() for text, _ in shown(figure)]
    assert sum(texts.count(word) for word in {*words}) == 2 * sum(len(row) for row in grid)


def test_heads_with_names_of_their_own() -> None:
    names = [f"layer {layer} head {head}" for layer in (11, 12) for head in (1, 2)]
    figure, _ = panels_figure([[Panel(["▁a"], ["▁b"], random_weights(4, 1, 1), head_names=names)]], "source", "source")
    assert [axes.get_xlabel() for axes in figure.axes[:-1]] == names
    check_layout(figure)
    figure, _ = panels_figure([[Panel(["▁a"], ["▁b"], random_weights(1, 1, 1), head_names=["only"])]])
    assert figure.axes[0].get_xlabel() == "only"
    with pytest.raises(ValueError, match="1 head names for 2 heads: give one each"):
        Panel(["▁a"], ["▁b"], torch.ones(2, 1, 1), head_names=["first"])


@pytest.mark.parametrize("lengths", [[], [0], [2, 0]])
def test_a_grid_without_panels_is_refused(lengths: list[int]) -> None:
    panel = Panel(["▁a"], ["▁b"], torch.ones(1, 1, 1))
    with pytest.raises(ValueError, match="a grid has one panel or more in each row; here " + re.escape(f"{lengths}")):
        panels_figure([[panel] * length for length in lengths])


def test_what_no_png_can_show_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("seq2seq.visualization.plots.LARGEST", 300)
    grid = [[Panel(pieces(20), pieces(20), random_weights(1, 20, 20))]]
    with pytest.raises(UserError, match=r"a\.png: 7 x \d inches are too large for a \.png with readable labels; draw"):
        plot_panels(grid, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
    assert plot_panels(grid, tmp_path / "a.svg") == ""


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
