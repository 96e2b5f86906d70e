"""The recipes keep what the README promises. Minutes each: make test-slow."""

import json
from pathlib import Path

import pytest

from seq2seq import Translator
from seq2seq.cli import main

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_demo_reaches_its_score(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["train", "configs/demo.yaml", "--run", str(tmp_path / "demo")]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "demo"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bleu"]["score"] >= 90
    (result,) = Translator.load(tmp_path / "demo").translate(["I am a student."])
    assert result.text == "Je suis étudiant."


@pytest.mark.slow
def test_multi30k_is_under_way_after_two_epochs(tmp_path, multi30k, capsys):
    files = {"train": "train", "validation": "val", "test": "test2016"}
    data = [
        f"data.{split}.{side}={multi30k}/{name}.{language}"
        for split, name in files.items()
        for side, language in (("source", "en"), ("target", "de"))
    ]
    config = str(ROOT / "configs" / "multi30k.yaml")
    run = str(tmp_path / "run")
    assert main(["train", config, *data, "training.max_epochs=2", "--run", run]) == 0
    capsys.readouterr()
    assert main(["evaluate", run, "--split", "validation", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bleu"]["score"] >= 20
