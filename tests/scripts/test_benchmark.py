"""The benchmark on the toy corpus: what it measures, what it makes of it, and what it refuses."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest

from benchmark import contest, one_training, one_translation
from measuring.markdown import three_digits
from seq2seq.cli import main as cli
from seq2seq.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "benchmark.py"

script = runpy.run_path(str(SCRIPT))  # the name is that of the package beside it, too
SMALL = [
    "tokenizer={vocabulary_size: 290}", "model.embedding_size=5", "model.encoder={hidden_size: 7}",
    "training.batch_tokens=200", "training.precision=float32",
]  # fmt: skip


def contestant(name: str, code: str, key: str = "speed"):
    return contest.Contestant(name, [sys.executable, "-c", code], key)


def test_contestants_take_turns_and_the_ratio_is_that_within_a_round(tmp_path):
    def counting(name: str, figures: list[float], memory: str = ""):
        """Gives one figure after the other, and writes down when it was called."""
        turns = tmp_path / "turns"
        return contestant(
            name,
            f"turns = open({str(turns)!r}, 'a+'); turns.seek(0); done = turns.read().count({name!r}); "
            f"turns.write({name!r}); print('noise'); print('{{\"speed\": %g{memory}}}' % {figures}[done])",
        )

    # the machine halves its speed in the second round and triples it in the third
    ours, peer = counting("a", [12, 6, 40], ', "peak_mb": 100'), counting("b", [4, 2, 12], ', "peak_mb": 400')
    path = tmp_path / "new" / "result.json"
    found = contest.hold(path, "speed", [ours], [peer], rounds=3, threads=1, overrides=[])
    assert (tmp_path / "turns").read_text() == "abbaab"
    assert contest.Contest.model_validate_json(path.read_bytes()) == found
    assert found.peers == ["b"]
    assert found.median("a", "speed") == 12
    assert found.ratio("a", "b", "speed") == 3
    assert found.ratio("a", "b", "peak_mb") == 0.25
    assert found.median("a", "other") is None


def test_contestants_have_names_of_their_own(tmp_path):
    one = contestant("a", "pass")
    with pytest.raises(UserError, match="contestants need names of their own: a, a"):
        contest.hold(tmp_path / "result.json", "speed", [one], [one], rounds=1, threads=1, overrides=[])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('no such data')", "peer: the command ended with status 1: no such data"),
        ("print('done')", "peer: its last line is not a JSON object: done"),
        ("pass", r"peer: its last line is not a JSON object: \(none\)"),
        ("print('{\"tokens\": 3}')", r'peer: no number speed in {"tokens": 3}; see --peer-key'),
    ],
)
def test_a_contestant_that_fails_is_named(code, message):
    with pytest.raises(UserError, match=message):
        contest.run(contestant("peer", code), threads=1)


def test_a_command_that_is_not_there():
    with pytest.raises(UserError, match="peer: cannot run no-such-command: No such file"):
        contest.run(contest.Contestant("peer", ["no-such-command"], "speed"), threads=1)


def test_a_peers_command_has_its_placeholders_filled_in():
    found = contest.peer("JoeyNMT=bench 'a b' --cell={cell} ${other}", "speed", {"cell": "gru"})
    assert found.name == "JoeyNMT"
    assert found.command == ["bench", "a b", "--cell=gru", "${other}"]
    for text in ("JoeyNMT", "=bench", "JoeyNMT="):
        with pytest.raises(UserError, match="write it as NAME=COMMAND"):
            contest.peer(text, "speed", {})


def test_training_some_steps(toy, capsys):
    arguments = [str(toy / "config.yaml"), "luong-gru", str(toy / "data"), "2", *SMALL]
    one_training.main(arguments)
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["target_tokens_per_second"] > 0
    assert 50 < figures["peak_mb"] < 10000


@pytest.mark.slow
def test_training_beside_a_peer(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("peer.py").write_text("""print('{"n": 2, "peak_mb": 1}')""")
    arguments = [
        "train", *SMALL, "--config", str(toy / "config.yaml"), "--settings", "luong-gru", "--precisions", "float32",
        "--steps", "2", "--rounds", "1", "--threads", "1",
        "--peer", f"Peer={sys.executable} peer.py", "--peer-key", "n",
    ]  # fmt: skip
    assert script["main"](arguments) == 0
    heads, _, ours, other = capsys.readouterr().out.splitlines()[:4]
    assert heads == "| model |  | target tokens/s | / Peer | peak memory, MiB | / Peer |"
    assert other == "| luong-gru | Peer | 2.00 | – | 1.00 | – |"
    figures = json.loads((tmp_path / "runs/benchmark/train-luong-gru.json").read_text())["measured"]
    speed = figures["ours, float32"][0]["target_tokens_per_second"]
    assert speed > 0
    assert ours.split(" | ")[3] == f"{speed / 2:.2f}"
    assert 50 < figures["ours, float32"][0]["peak_mb"] < 5000


def test_figures_have_three_digits():
    numbers = (1.234, 9.996, 26.44, 791.2, 5951.0, 12345.0)
    assert [three_digits(number) for number in numbers] == ["1.23", "10.0", "26.4", "791", "5,950", "12,300"]


def test_translating_the_test_set(toy, capsys):
    run = toy / "run"
    assert cli(["train", str(toy / "config.yaml"), *SMALL, "training.max_steps=1", "--run", str(run)]) == 0
    one_translation.main([str(run), "2", "float32", "no", "3"])
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["pieces_per_second"] > 2 * figures["sentences_per_second"] > 0  # a word and </s> at least


@pytest.mark.slow
def test_translating_faster_beside(toy_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["translate", str(toy_run), "--beams", "2", "--precisions", "float32", "--shortlist"]
    assert script["main"]([*arguments, "--rounds", "1", "--threads", "1"]) == 2
    assert "a shortlist needs lexicon.safetensors; first: seq2seq lexicon" in capsys.readouterr().err
    assert script["main"]([*arguments, "--beam-threshold", "-1"]) == 2
    assert "search: beam_threshold is -1.0: input should be greater than 0" in capsys.readouterr().err
    folder = tmp_path / "run"
    shutil.copytree(toy_run, folder)
    assert cli(["lexicon", str(folder)]) == 0
    capsys.readouterr()
    arguments = ["translate", str(folder), *arguments[2:], "--beam-threshold", "3", "--rounds", "1", "--threads", "1"]
    assert script["main"](arguments) == 0
    rows = [line.split(" | ")[1] for line in capsys.readouterr().out.splitlines() if line.startswith("| beam 2")]
    plain = ["ours, float32", "ours, float32, shortlist"]
    assert rows == [*plain, *(f"{row}, threshold 3" for row in plain)]


def refused(arguments: list[str], capsys) -> str:
    assert script["main"](arguments) == 2
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert stderr.count("\n") == 1
    return stderr


def test_mistakes_are_named_before_anything_is_measured(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = ["--config", str(toy / "config.yaml")]
    assert "nowhere.yaml: cannot read the config" in refused(["train", "--config", "nowhere.yaml"], capsys)
    assert "unknown key model.embeding_size" in refused(["train", "model.embeding_size=3", *config], capsys)
    assert "nowhere/config.yaml: cannot read" in refused(["translate", "nowhere"], capsys)
    without = refused(["translate", str(toy), "data.test=null"], capsys)
    assert "config.yaml: data.test names no test set; give data.test.source and data.test.target" in without
    assert "write it as NAME=COMMAND" in refused(["train", *SMALL, *config, "--peer", "JoeyNMT"], capsys)
    assert not (tmp_path / "runs").exists()
