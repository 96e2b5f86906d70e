import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from seq2seq.cli import main
from seq2seq.errors import ConfigError
from seq2seq.inference.translator import Translator
from seq2seq.training.averaging import average_runs, average_weights
from seq2seq.training.run_lexicon import learn_run_lexicon


@pytest.fixture
def run(training):
    training("run", "training.keep_best=2", "training.keep_checkpoints=2", "training.validate_every=4",
             "training.early_stopping_metric=loss")  # fmt: skip
    return training.toy / "run"


def test_average_of_the_best_and_of_the_last(run, capsys, tmp_path):
    validations = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    ranked = [record["step"] for record in sorted(validations, key=lambda record: record["loss"])]
    learn_run_lexicon(run)
    assert {path.name for path in (run / "best").iterdir()} == {f"step_{step}.safetensors" for step in ranked[:2]}
    for option, files in [
        ("--best", [run / "best" / f"step_{step}.safetensors" for step in ranked[:2]]),
        ("--last", [run / "checkpoints" / f"step_{step}" / "model.safetensors" for step in (8, 12)]),
    ]:
        output = tmp_path / option.strip("-")
        assert main(["average", str(run), option, "2", "--output", str(output)]) == 0
        assert f"is in {output}. Next: seq2seq evaluate {output}" in capsys.readouterr().out
        first, second = (load_file(path) for path in files)
        for name, weight in load_file(output / "model.safetensors").items():
            torch.testing.assert_close(weight, (first[name] + second[name]) / 2)
        assert Translator.load(output, "cpu").translate(["a b"], shortlist=True)[0].tokens


def test_average_of_runs_that_started_from_the_same_model(run, training, capsys, tmp_path):
    start = f"training.start_from={run}"
    others = [training.toy / name for name in ("one", "two")]
    training("one", start, "training.seed=2", "model.word_dropout=0.1")
    training("two", start, "training.seed=3")
    assert main(["average", *map(str, others), "--output", str(tmp_path / "mean")]) == 0
    files = [other / "model.safetensors" for other in others]
    assert capsys.readouterr().out.startswith(f"The mean of {files[0]}, {files[1]} is in {tmp_path / 'mean'}.")
    first, second = map(load_file, files)
    for name, weight in load_file(tmp_path / "mean" / "model.safetensors").items():
        torch.testing.assert_close(weight, (first[name] + second[name]) / 2)
    assert Translator.load(tmp_path / "mean", "cpu").translate(["a b"])[0].tokens
    assert main(["average", str(run), "--output", str(tmp_path / "new")]) == 2
    assert "one model is its own mean: name several runs, or give --best N or --last N" in capsys.readouterr().err


def test_runs_without_a_mean_are_refused(run, training, tmp_path):
    training("sharp", "model.attention.temperature=2")
    with pytest.raises(
        ConfigError, match=r"sharp: not a model like that of .*run: they differ in model.attention.temperature$"
    ):
        average_runs([run, training.toy / "sharp"], tmp_path / "new")
    training("words", f"data.train.target={training.toy}/train.in")
    with pytest.raises(ConfigError, match=r"words: its vocabulary is not that of .*run: models have a mean where they"):
        average_runs([run, training.toy / "words"], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_best_file_is_the_kept_model(run):
    validations = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    best = min(validations, key=lambda record: record["loss"])["step"]
    assert (run / "best" / f"step_{best}.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_average_refuses_what_it_cannot_do(run, tmp_path):
    with pytest.raises(
        ConfigError, match=r"run: has 2 of the 3 best weights asked for; training.keep_best says how many"
    ):
        average_runs([run], tmp_path / "new", best=3)
    with pytest.raises(ConfigError, match=r"has 2 of the 3 last checkpoints asked for; training.keep_checkpoints"):
        average_runs([run], tmp_path / "new", last=3)
    with pytest.raises(ConfigError, match="run: exists; name another folder"):
        average_runs([run], run, best=1)
    with pytest.raises(ConfigError, match="nothing: not a run folder"):
        average_runs([tmp_path / "nothing"], tmp_path / "new", best=1)
    assert not (tmp_path / "new").exists()


def test_average_of_the_best_needs_their_scores(run, tmp_path):
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text(lines[0])
    with pytest.raises(
        ConfigError, match=r"metrics.jsonl: has no validation of step \d+, whose weights are in .*best/st"
    ):
        average_runs([run], tmp_path / "new", best=1)
    (run / "metrics.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"run: has no metrics.jsonl, which tells the best weights"):
        average_runs([run], tmp_path / "new", best=1)


def test_average_is_exact_and_refuses_strangers(tmp_path):
    for number in (1, 2, 3):
        save_file({"w": torch.full((2,), float(number))}, tmp_path / f"{number}")
    save_file({"w": torch.zeros(3)}, tmp_path / "other")
    (tmp_path / "damaged").write_bytes(b"half")
    (weight,) = average_weights([tmp_path / "1", tmp_path / "2", tmp_path / "3"]).values()
    assert weight.tolist() == [2.0, 2.0]
    assert weight.dtype == torch.float32
    with pytest.raises(ConfigError, match="other: not of the same model as"):
        average_weights([tmp_path / "1", tmp_path / "other"])
    with pytest.raises(ConfigError, match="damaged: damaged"):
        average_weights([tmp_path / "damaged"])
