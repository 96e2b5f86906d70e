import json
from pathlib import Path

import pytest
from matplotlib.image import imread

from seq2seq.errors import UserError
from seq2seq.training.curves import curves_figure, plot_curves, read_metrics


def training(step: int, loss: float) -> dict:
    return {
        "kind": "training", "step": step, "epoch": 0, "loss": loss, "learning_rate": 1e-3, "tokens_per_second": 900.0,
        "gradient_norm": 1.0, "seconds": step / 10,
    }  # fmt: skip


def validation(step: int, loss: float, bleu: float, chrf: float) -> dict:
    return {
        "kind": "validation", "step": step, "loss": loss, "perplexity": 2.0, "bleu": bleu, "chrf": chrf, "seconds": 1.0
    }  # fmt: skip


RECORDS = [
    training(50, 7.0),
    training(100, 5.0),
    validation(100, 5.5, 10.0, 30.0),
    training(150, 4.0),
    validation(150, 4.5, 31.25, 50.0),
    training(200, 3.5),
    validation(200, 4.75, 29.0, 49.0),
]


def write(path: Path, records: list[dict], rest: str = "") -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + rest, encoding="utf-8")
    return path


def lines(axes) -> dict[str, list[tuple[float, float]]]:
    return {line.get_label(): [tuple(point) for point in line.get_xydata()] for line in axes.lines}


def test_curves_are_the_records(tmp_path) -> None:
    left, right = curves_figure(read_metrics(write(tmp_path / "metrics.jsonl", RECORDS))).axes
    assert lines(left) == {
        "training, as optimized": [(50, 7), (100, 5), (150, 4), (200, 3.5)],
        "validation": [(100, 5.5), (150, 4.5), (200, 4.75)],
    }
    assert lines(right) == {
        "chrF": [(100, 30), (150, 50), (200, 49)],
        "BLEU": [(100, 10), (150, 31.25), (200, 29)],
        "best BLEU: 31.25 at step 150": [(150, 31.25)],
    }
    assert right.get_legend().get_texts()[-1].get_text() == "best BLEU: 31.25 at step 150"
    for axes in (left, right):
        assert axes.get_xlabel() == "optimizer steps"
        low, high = axes.get_xlim()
        assert low == 0
        assert high > 200


def test_picture_has_ink_in_both_panels(tmp_path) -> None:
    plot_curves(write(tmp_path / "metrics.jsonl", RECORDS), tmp_path / "curves.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "metrics.jsonl"]
    pixels = imread(tmp_path / "curves.png")[..., :3]
    assert pixels.shape == (600, 1500, 3)
    saturation = pixels.max(-1) - pixels.min(-1)  # only the curves have colour
    assert saturation[:, :750].max() > 0.5
    assert saturation[:, 750:].max() > 0.5


@pytest.mark.parametrize("records", [[], RECORDS[:2]])
def test_no_validation_yet(tmp_path, records: list[dict]) -> None:
    path = write(tmp_path / "metrics.jsonl", records)
    left, right = curves_figure(read_metrics(path)).axes
    assert len(left.lines) == (1 if records else 0)
    assert not right.lines
    assert [text.get_text() for text in right.texts] == ["no validation yet"]
    plot_curves(path, tmp_path / "curves.png")
    assert imread(tmp_path / "curves.png").std() > 0


@pytest.mark.parametrize("rest", ['{"kind": "validation", "st', "{", '{"kind": "validation"}', "7", "\n"])
def test_half_written_last_line_is_ignored(tmp_path, rest: str) -> None:
    assert read_metrics(write(tmp_path / "metrics.jsonl", RECORDS[:3], rest)) == {
        "training": RECORDS[:2],
        "validation": RECORDS[2:3],
    }


def test_last_line_cut_inside_a_character(tmp_path) -> None:
    path = write(tmp_path / "metrics.jsonl", RECORDS[:2])
    path.write_bytes(path.read_bytes() + '{"kind": "é'.encode()[:-1])
    assert read_metrics(path)["training"] == RECORDS[:2]


def test_broken_line_in_the_middle(tmp_path) -> None:
    path = write(tmp_path / "metrics.jsonl", [])
    path.write_text(f'{json.dumps(RECORDS[0])}\n{{"kind": "tra\n{json.dumps(RECORDS[1])}\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"""metrics.jsonl: line 2: not a record of a run: .{"kind": "tra'"""):
        read_metrics(path)


def test_steps_taken_again_after_a_resume_count_once(tmp_path) -> None:
    path = write(tmp_path / "metrics.jsonl", [training(50, 7.0), training(100, 5.0), training(50, 6.5)])
    assert [(record["step"], record["loss"]) for record in read_metrics(path)["training"]] == [(50, 6.5), (100, 5.0)]


def test_no_metrics(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"metrics\.jsonl"):
        plot_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")


def test_other_suffix(tmp_path) -> None:
    with pytest.raises(UserError, match=r"curves\.jpg: a picture's name ends with \.png or \.svg"):
        plot_curves(write(tmp_path / "metrics.jsonl", RECORDS), tmp_path / "curves.jpg")
