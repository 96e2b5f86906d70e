"""What is prepared for JoeyNMT, and what is made of its log and output; a shell script stands in for the program."""

import json
from pathlib import Path

import pytest
import yaml

import joeynmt
from seq2seq.data.lines import read_lines

STAND_IN = """#!/bin/sh
case "$3" in
install) ;;
train) for speed in 100 300 500 900; do echo "Step: 10, Tokens per Sec: $speed, Lr: 0.001" >&2; done ;;
translate) while read -r line; do echo "$line"; sleep 0.002; done; test ! -e "${4%/*}/fails" || exit 3 ;;
esac
"""
BUILDERS = """kwargs = {
    "mode": mode,
    "verbose": False,
    "patience": 3,
}
"""


@pytest.fixture
def stand_in(monkeypatch):
    def create(folder: Path, with_pip: bool) -> None:
        python, builders = folder / "bin/python", folder / "lib/python3.11/site-packages/joeynmt/builders.py"
        for path, text in ((python, STAND_IN), (builders, BUILDERS)):
            path.parent.mkdir(parents=True)
            path.write_text(text)
        python.chmod(0o755)

    monkeypatch.setattr(joeynmt.venv, "create", create)


@pytest.fixture
def folder(toy, stand_in, capsys):
    """As `setup` leaves it."""
    folder = toy / "peer"
    assert joeynmt.main(["setup", str(folder), "--config", str(toy / "config.yaml")]) == 0
    assert json.loads(capsys.readouterr().out)["vocabulary"] > 20
    return folder


def test_setup_leaves_data_a_vocabulary_and_a_mended_package(folder, toy):
    assert list(read_lines(folder / "data/test.target")) == list(read_lines(toy / "test.out"))
    assert list(read_lines(folder / "joint.vocab"))[:4] == ["<unk>", "<pad>", "<s>", "</s>"]
    (builders,) = folder.glob("venv/lib/*/site-packages/joeynmt/builders.py")
    assert "verbose" not in builders.read_text()
    assert '"patience": 3' in builders.read_text()


def test_a_training_counts_by_the_median_of_its_log(folder, capsys):
    assert joeynmt.main(["train", str(folder), "--attention", "luong", "--cell", "lstm", "--updates", "40"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["target_tokens_per_second"] == 500  # of 300, 500 and 900
    assert figures["peak_mb"] > 0
    config = yaml.safe_load((folder / "luong-lstm.yaml").read_text())
    assert config["training"]["updates"] == 40
    assert config["model"]["decoder"]["attention"] == "luong"
    assert config["model"]["encoder"]["rnn_type"] == "lstm"
    for path in (config["data"]["src"]["voc_file"], f"{config['data']['train']}.{config['data']['trg']['lang']}"):
        assert Path(path).exists()


def test_a_translation_counts_without_its_start(folder, capsys):
    assert joeynmt.main(["translate", str(folder), "--beam", "3"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert yaml.safe_load((folder / "bahdanau-gru.yaml").read_text())["testing"]["beam_size"] == 3
    assert figures["pieces_per_second"] > 2 * figures["sentences_per_second"] > 0  # a word and </s> at least


def test_what_fails_is_named(folder, toy, capsys):
    (folder / "fails").touch()
    for arguments, message in (
        (
            ["translate", str(folder)],
            f"JoeyNMT ended with status 3; {folder}/bahdanau-gru.translate.log has its messages",
        ),
        (["train", str(toy)], "there is no JoeyNMT yet; first: python scripts/joeynmt.py setup"),
        (["setup", str(folder), "data.test=null", "--config", str(toy / "config.yaml")], "data.test names no test set"),
    ):
        assert joeynmt.main(arguments) == 2
        assert message in capsys.readouterr().err
