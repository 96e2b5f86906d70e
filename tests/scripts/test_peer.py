"""What is prepared for other toolkits, and what is made of their logs and output; shell scripts stand in for them."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import peer as script
from peers import peer as peers
from seq2seq.data.lines import read_lines

FAILS = 'test ! -e fails || { echo "no such thing" >&2; exit 3; }'
JOEYNMT = f"""#!/bin/sh
case "$3" in
train) for speed in 100 300 500 900; do echo "Step: 10, Tokens per Sec:      $speed, Lr: 0.001" >&2; done ;;
translate) while read -r line; do echo "$line"; sleep 0.002; done; {FAILS} ;;
esac
"""
EOLE = f"""#!/bin/sh
case "$1" in
train) for speed in 100 300 500 900; do echo "bsz: 1664/1835/110; 358/ $speed tok/s;     46 sec;" >&2; done ;;
predict) while read -r line; do echo "$line" >> output.pieces; sleep 0.002; done < input.source.pieces; {FAILS} ;;
esac
"""
BUILDERS = """kwargs = {
    "mode": mode,
    "verbose": False,
    "patience": 3,
}
"""


@pytest.fixture(params=script.PEERS)
def peer(request, toy, monkeypatch, capsys):
    """Its name and its folder, as `setup` leaves it."""

    def create(folder: Path, **_: bool) -> None:
        for name, text in {"bin/python": JOEYNMT, "bin/eole": EOLE}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        builders = folder / "lib/python3.11/site-packages/joeynmt/builders.py"
        builders.parent.mkdir(parents=True)
        builders.write_text(BUILDERS)

    monkeypatch.setattr(peers.venv, "create", create)
    folder = toy / "peer"
    assert script.main([request.param, "setup", str(folder), "--config", str(toy / "config.yaml")]) == 0
    assert json.loads(capsys.readouterr().out)["vocabulary"] > 20
    return request.param, folder


def test_setup_leaves_the_data_and_a_vocabulary(peer, toy):
    name, folder = peer
    assert list(read_lines(folder / "test.target")) == list(read_lines(toy / "test.out"))
    pieces = [line.replace(" ", "").replace("▁", " ").strip() for line in read_lines(folder / "test.target.pieces")]
    assert pieces == list(read_lines(toy / "test.out"))
    vocabulary = list(read_lines(folder / "joint.vocab"))
    assert vocabulary[:4] == ["<unk>", "<pad>", "<s>", "</s>"]
    if name == "eole":
        assert [line.split("\t") for line in read_lines(folder / "pieces.txt")] == [[p, "1"] for p in vocabulary[4:]]
    else:
        (builders,) = folder.glob("venv/lib/*/site-packages/joeynmt/builders.py")
        assert "verbose" not in builders.read_text()
        assert '"patience": 3' in builders.read_text()


def test_a_training_counts_by_the_median_of_its_log(peer, capsys):
    name, folder = peer
    arguments = [name, "train", str(folder), "--attention", "luong", "--cell", "lstm", "--updates", "40"]
    assert script.main(arguments) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["target_tokens_per_second"] == 500  # of 300, 500 and 900
    assert figures["peak_mb"] > 0
    config = yaml.safe_load((folder / "luong-lstm.yaml").read_text())
    found = str(config["model"]["decoder"]).lower(), str(config["training"])
    for part, expected in zip(found, ("lstm", "40"), strict=True):
        assert expected in part
    assert {"luong", "general"} & {config["model"]["decoder"].get(key) for key in ("attention", "global_attention")}
    assert on_gpu(config) in (False, [])


def test_a_peer_works_on_a_gpu_where_told_to(peer, capsys):
    name, folder = peer
    assert script.main([name, "train", str(folder), "--updates", "40", "--device", "cuda"]) == 0
    assert on_gpu(yaml.safe_load((folder / "bahdanau-gru.yaml").read_text())) in (True, [0])


def on_gpu(config):
    return config["use_cuda"] if "use_cuda" in config else config["training"]["gpu_ranks"]


def test_a_translation_counts_without_its_start(peer, capsys):
    name, folder = peer
    assert script.main([name, "translate", str(folder), "--beam", "3"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["pieces_per_second"] > 2 * figures["sentences_per_second"] > 0  # a word and </s> at least
    assert len(list(read_lines(folder / "output.pieces"))) == 50


def test_a_translation_that_takes_no_longer_than_its_start_does_not_count(peer, monkeypatch, capsys):
    name, folder = peer
    clock = iter([0, 9, 10, 13, 20, 22])  # one sentence twice, then all
    monkeypatch.setattr(peers, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert script.main([name, "translate", str(folder)]) == 2
    assert f"{name}: 2.0 s for the test set, 3.0 s for a sentence: try again" in capsys.readouterr().err


def test_what_fails_is_named(peer, toy, capsys):
    name, folder = peer
    (folder / "fails").touch()
    config = ["--config", str(toy / "config.yaml")]
    for arguments, message in (
        (
            ["translate", str(folder)],
            f"{name} ended with status 3; {folder}/bahdanau-gru.translate.log has its messages",
        ),
        (["train", str(toy)], f"{toy}: first: python scripts/peer.py {name} setup {toy}"),
        (["setup", str(folder), "data.test=null", *config], "config.yaml: data.test names no test set"),
    ):
        assert script.main([name, *arguments]) == 2
        assert message in capsys.readouterr().err
    assert "no such thing" in (folder / "bahdanau-gru.translate.log").read_text()
