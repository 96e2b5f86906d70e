"""The benchmark's account of where time goes, how many FLOPs there are, and the page it all is written to."""

import runpy
import time
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import nn

from benchmark import batches, breakdown, contest, parts, report, scaling, train
from measuring.environment import environment
from measuring.training_speed import new_state
from seq2seq.errors import UserError

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

BASE = str(SCRIPTS.parent / "configs" / "demo.yaml")
SMALL = [
    "model.embedding_size=5", "model.encoder.hidden_size=7", "model.decoder.hidden_size=11",
    "model.decoder.output_size=13", "training.precision=float32", "training.device=cpu",
]  # fmt: skip


def state_of(setting: str, vocabulary: int):
    return new_state(train.setting_config(BASE, setting, SMALL), vocabulary, vocabulary)


class Slow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        time.sleep(0.03)
        return x.clone()

    @staticmethod
    def backward(ctx, *gradients):
        time.sleep(0.12)
        return gradients[0]


class Work:
    """90 ms of its own, 30 ms in a part of it, whose backward pass takes 120 ms, and 60 ms beside them."""

    def inner(self, x):
        return Slow.apply(x)

    def outer(self, x):
        time.sleep(0.09)
        return self.inner(x) * 2

    def __call__(self):
        time.sleep(0.06)
        self.outer(torch.ones(3, requires_grad=True)).sum().backward()


def test_the_time_of_a_part_is_its_own_and_the_backward_pass_is_that_of_what_made_it_necessary():
    work = Work()
    found = parts.times(work, [(work, "outer", "outer"), (work, "inner", "inner")], repeats=1)
    seconds = {part.name: (part.forward, part.backward) for part in found.parts}
    assert list(seconds) == ["outer", "inner", parts.REST]
    assert seconds["outer"][0] == pytest.approx(0.09, rel=0.6)
    assert seconds["outer"][1] < 0.01
    assert seconds["inner"] == pytest.approx((0.03, 0.12), rel=0.6)
    assert seconds[parts.REST][0] == pytest.approx(0.06, rel=0.6)
    assert sum(map(sum, seconds.values())) == pytest.approx(found.seconds)
    assert "outer" not in vars(work)  # all is as before


@pytest.mark.parametrize("setting", train.SETTINGS)
def test_a_training_step_has_its_parts(setting):
    state = state_of(setting, 101)
    found = breakdown.training_times(state, breakdown.random_batch(3, 5, 101), repeats=1)
    cost = {part.name: part for part in found.parts}
    model = {"embeddings", "encoder", "attention", "recurrence", "readout", "output layer"}
    assert set(cost) == {*model, "loss", "norm of the gradient", "optimizer", parts.REST}
    assert all(cost[name].forward > 0 and cost[name].backward > 0 for name in model)


def test_a_beam_step_has_its_parts():
    state = state_of("bahdanau-gru", 8000)
    config = train.setting_config(BASE, "bahdanau-gru", [*SMALL, "search.max_length_ratio=0.01"])
    found, num_rows = breakdown.beam_step_times(config, state.model, repeats=1)
    assert 0.8 * 64 * 5 < num_rows <= 64 * 5  # the first step has a row for each sentence
    cost = {part.name: part for part in found.parts}
    assert {"attention", "recurrence", "output layer", "log-softmax", "top-k", parts.REST} <= set(cost)
    assert all(part.forward > 0 and part.backward == 0 for part in found.parts)


def test_the_flops_of_the_output_layer_are_three_products_of_two_operations_each():
    batch = breakdown.random_batch(3, 5, 101)
    small, large = (breakdown.count_flops(state_of("luong-gru", size), batch) for size in (101, 211))
    num_tokens = 3 * (5 + 1)
    assert large - small == 3 * 2 * num_tokens * 13 * (211 - 101)  # forward, for the weight, for the input


def test_the_flops_of_the_comparison_are_those_on_the_page():
    """Three products of two operations for each number in a weight; scores and contexts have none and are few."""
    state = new_state(train.setting_config(BASE, "bahdanau-gru", ["training.device=cpu"]), 8000, 8000)
    batch = breakdown.random_batch(2, breakdown.LENGTH, 8000)
    output, gates, encoder = 512 * 8000, (512 + 512 + 256) * 3 * 512, 2 * (256 + 256) * 3 * 256
    weights = [output, gates, encoder, (512 + 512 + 256) * 512, 2 * 512 * 512]
    operations = breakdown.count_flops(state, batch) / (2 * (breakdown.LENGTH + 1))
    assert operations == pytest.approx(3 * 2 * sum(weights), rel=0.01)
    page = (SCRIPTS.parent / "docs" / "performance.md").read_text(encoding="utf-8")
    assert f"needs {operations / 1e6:.0f} million operations in matrix products for each target token" in page
    for number in weights:
        assert f"| {number:,} | {6e-6 * number:.1f} |" in page


def test_the_flops_of_an_lstm_are_counted():
    batch, steps, inputs, hidden = 2, 3, 5, 7
    lstm = nn.LSTM(inputs, hidden)
    with breakdown.flop_counter() as counter:
        lstm(torch.randn(steps, batch, inputs, requires_grad=True))[0].sum().backward()
    assert counter.get_total_flops() == 3 * 2 * steps * batch * 4 * hidden * (inputs + hidden)


def test_the_peak_is_a_speed_that_a_processor_has():
    assert 1e8 < breakdown.peak_flops(torch.float32, side=256) < 1e14


def test_scaling_measures_a_speed():
    overrides = ["training.precision=float32"]
    sizes = {"batch_tokens": 60, "length": 6, "vocabulary": 101, "hidden_size": 16}
    assert scaling.training_speed(BASE, "bahdanau-gru", overrides, **sizes) > 0


def test_batches_are_measured_in_training_and_with_each_beam(tmp_path, capsys):
    sizes = ["--training", "3", "4", "--translation", "2", "--beams", "1", "3"]
    arguments = ["batches", *SMALL, "--config", BASE, "--results", str(tmp_path), "--models", "luong-gru", *sizes]
    assert runpy.run_path(str(SCRIPTS / "benchmark.py"))["main"](arguments) == 0
    found = batches.Batches.model_validate_json((tmp_path / "batches.json").read_bytes())
    assert [curve.what for curve in found.curves] == ["training", "translation, greedy", "translation, beam 3"]
    assert [list(curve.tokens_per_second) for curve in found.curves] == [[3, 4], [2], [2]]
    assert all(speed > 0 for curve in found.curves for speed in curve.tokens_per_second.values())
    state = state_of("luong-gru", 8000)
    assert found.curves[0].parameters == sum(parameter.numel() for parameter in state.model.parameters())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| model | parameters | target tokens/s | 3 | 4 |"
    assert sum(line.startswith("| luong-gru | 0.2 M | translation, ") for line in lines) == 2


def test_a_translation_is_as_long_as_is_said():
    config = train.setting_config(BASE, "bahdanau-gru", SMALL)
    found = []

    class Timed(batches.BatchSearch):
        def __call__(self, *given):
            found.append(super().__call__(*given))
            return found[-1]

    with patch.object(batches, "BatchSearch", Timed):
        assert batches.translation_speed(config, state_of("bahdanau-gru", 8000).model.eval(), 8000, 2, 3) > 0
    assert len(found) == 2 + batches.SEARCHES
    lengths = {len(hypotheses[0].ids) for hypotheses in found[0]}
    assert min(lengths) >= batches.LENGTH + 1
    assert max(lengths) <= batches.LENGTH + 1 + 10


def some_results(folder: Path) -> None:
    here = environment()

    def keep(name: str, measured: dict[str, list[dict[str, float]]]) -> None:
        ours = [one for one in measured if one.startswith(("ours", "seq2seq"))]
        key = next(iter(next(iter(measured.values()))[0]))
        found = contest.Contest(
            environment=here, threads=2, overrides=["data.test=x"], ours=ours, key=key, measured=measured
        )
        (folder / f"{name}.json").write_text(found.model_dump_json())

    speed, peak = "target_tokens_per_second", "peak_mb"
    keep(
        "train-luong-gru",
        {
            "ours, auto": [{speed: 8000, peak: 600}, {speed: 4000, peak: 600}, {speed: 9000, peak: 600}],
            "Peer": [{speed: 1000, peak: 1200}, {speed: 500, peak: 1200}, {speed: 900, peak: 1200}],
        },
    )
    keep("train-bahdanau-gru", {"ours, auto": [{speed: 7000, peak: 600}]})
    keep("translate-beam-5", {"ours, float32": [{"sentences_per_second": 300, "pieces_per_second": 4567, peak: 500}]})
    keep("start", {"seq2seq translate": [{"seconds": 1.5}], "import": [{"seconds": 1.25}]})
    cost = parts.Times(
        seconds=0.5,
        slowed=1.2,
        parts=[
            parts.Part(name="encoder", forward=0.1, backward=0.15),
            parts.Part(name=parts.REST, forward=0.25, backward=0),
        ],
    )
    found = breakdown.Breakdown(
        environment=here,
        threads=2,
        setting="luong-gru",
        overrides=[],
        precision="bfloat16",
        num_tokens=2000,
        step=cost,
        flops=100_000_000_000,
        peak_flops=4e11,
        search_precision="float32",
        beam_step=cost,
        num_rows=320,
    )
    (folder / "breakdown.json").write_text(found.model_dump_json())
    points = {
        axis: [scaling.Point(value=v, tokens_per_second=3.0 * v) for v in values]
        for axis, (_, values) in scaling.AXES.items()
    }
    of_sizes = scaling.Scaling(environment=here, threads=2, setting="luong-gru", overrides=[], points=points)
    (folder / "scaling.json").write_text(of_sizes.model_dump_json())
    curves = [
        batches.Curve(model="luong-gru", parameters=11_900_000, what=what, tokens_per_second={size: 1000.0 * size})
        for what, size in (("training", 64), ("translation, greedy", 8))
    ]
    of_batches = batches.Batches(environment=here, overrides=[], curves=curves)
    (folder / "batches.json").write_text(of_batches.model_dump_json())


def test_the_report_writes_the_sections_and_nothing_else(tmp_path):
    from matplotlib.image import imread

    some_results(tmp_path)
    page = tmp_path / "page.md"
    names = ("train", "translate", "start", "breakdown", "scaling", "batches")
    sections = "".join(f"About {name}.\n\n<!-- benchmark: {name} -->\nold\n<!-- end: {name} -->\n" for name in names)
    page.write_text(f"# Page\n{sections}The end.\n")
    assert report.write_report(tmp_path, page) == [page, tmp_path / "page-scaling.png"]
    text = page.read_text()
    assert "old" not in text
    assert "data.test" not in text
    assert text.startswith("# Page\nAbout train.\n\n<!-- benchmark: train -->\n\n| model |")
    assert text.endswith("<!-- end: batches -->\nThe end.\n")
    for line in (
        "| bahdanau-gru | ours, auto | 7,000 | – | 600 | – |",
        "| luong-gru | ours, auto | 8,000 | 8.00 | 600 | 0.50 |",
        "| luong-gru | Peer | 900 | – | 1,200 | – |",
        "| beam 5 | ours, float32 | 300 | 4,570 | 500 |",
        "| `seq2seq translate` | 1.50 | 1.20 |",
        "| encoder | 100.00 | 150.00 | 50% |",
        "| model | parameters | target tokens/s | 64 |",
        "| luong-gru | 12 M | training | 64,000 |",
        "| luong-gru | 12 M | translation, greedy | 8,000 |",
        "100.0 GFLOP: 200 GFLOP/s over the whole step, 50% of the 400 GFLOP/s",
    ):
        assert line in text
    assert "- luong-gru: Measured" in text
    assert "Medians of 3 rounds" in text
    assert imread(tmp_path / "page-scaling.png").std() > 0.01
    report.write_report(tmp_path, page)
    assert page.read_text() == text


def test_what_a_report_needs(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- benchmark: train -->\n")
    with pytest.raises(UserError, match="nothing to report: no measurement has been made"):
        report.write_report(tmp_path, page)
    some_results(tmp_path)
    with pytest.raises(UserError, match=r"page.md: no section to write train into: .*<!-- end: train -->"):
        report.write_report(tmp_path, page)
    (tmp_path / "start.json").write_text("{}")
    with pytest.raises(UserError, match=r"start.json: not a result of this version: measure again"):
        report.write_report(tmp_path, page)
    assert page.read_text() == "<!-- benchmark: train -->\n"
