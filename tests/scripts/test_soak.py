"""The two long runs, made short."""

import runpy
from pathlib import Path

import pytest
from matplotlib.image import imread

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.mark.slow
def test_soak(toy_run, tmp_path, capsys):
    script = runpy.run_path(str(SCRIPTS / "soak.py"))
    lines = list(script["sentences"](2000))
    assert lines == list(script["sentences"](2000))
    assert not any("\n" in line for line in lines)
    assert len(max(lines, key=len)) > 300
    assert "" in lines
    assert script["main"]([str(toy_run), "--output", str(tmp_path), "--sentences", "600", "--alone", "50"]) == 0
    printed = capsys.readouterr().out
    assert "translations of threads unlike the command's: 0\n" in printed
    assert "files left open: 0\n" in printed
    assert (tmp_path / "out.txt").read_bytes().count(b"\n") == 600
    assert imread(tmp_path / "soak.png").std() > 0


@pytest.mark.slow
def test_kill_training(toy, tmp_path, capsys):
    script = runpy.run_path(str(SCRIPTS / "kill_training.py"))
    arguments = [str(toy / "config.yaml"), "training.max_steps=1200", "training.validate_every=300", "--every", "8"]
    assert script["main"]([*arguments, "--output", str(tmp_path / "runs")]) == 0
    printed = capsys.readouterr()
    assert "the same, bit for bit\n" in printed.out
    assert "kill 1, after checkpoint" in printed.err
    weights = tmp_path / "runs" / "broken" / "run" / "metrics.jsonl"
    weights.write_text(weights.read_text() + '{"kind": "training", "step": 1300, "loss": 1}\n')
    assert script["differences"](*(tmp_path / "runs" / name / "run" for name in ("whole", "broken"))) == [
        "metrics.jsonl"
    ]
