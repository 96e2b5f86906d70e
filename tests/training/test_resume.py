"""A run that was stopped and resumed is, bit for bit, the run that was not."""

import json
import os
import shutil
import signal

import pytest
import torch

from seq2seq.config_file import load_config
from seq2seq.errors import ConfigError, TrainingStopped
from seq2seq.training.loop import train
from seq2seq.training.run_folder import open_run
from seq2seq.training.validation import validate


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resumed_twice_within_an_epoch_equals_unbroken(training, killed_before, precision):
    """Between checkpoints and in the middle of the records' window; the last time in the second epoch."""
    settings = ["training.schedule=linear", "training.max_steps=52", f"training.precision={precision}",
                "training.validate_every=26"]  # fmt: skip
    training("whole", *settings)
    for resume, step in [(False, 11), (True, 34)]:
        with killed_before(step):
            training("broken", *settings, resume=resume)
    training("broken", *settings, resume=True)
    training.assert_same("whole", "broken")


def test_resumed_with_sampled_segmentations_equals_unbroken(training, killed_before, monkeypatch):
    """In the middle of what is sampled together, in the first and the second epoch; never with another sharpness."""
    monkeypatch.setattr("seq2seq.training.batches.POOL", 5)
    settings = ["tokenizer.sampling_alpha=0.2", "training.max_steps=20", "training.validate_every=20"]
    training("whole", *settings)
    for resume, step in [(False, 8), (True, 16)]:
        with killed_before(step):
            training("broken", *settings, resume=resume)
    training("broken", *settings, resume=True)
    training.assert_same("whole", "broken")
    training("plain", *settings, "tokenizer.sampling_alpha=null")
    assert training.records("plain")[0]["loss"] != training.records("whole")[0]["loss"]
    assert len(list((training.toy / ".cache").glob("[0-9a-f]*"))) == 1  # the stored text is the same
    with pytest.raises(ConfigError, match=r"tokenizer.sampling_alpha: 0.2 then, 0.3 now"):
        training("broken", *settings, "tokenizer.sampling_alpha=0.3", resume=True)


@pytest.mark.parametrize("last", [12, 13, 14])
def test_resumed_around_the_end_of_an_epoch_equals_unbroken(training, killed_before, last):
    settings = ["training.checkpoint_every=1", "training.max_steps=15", "training.validate_every=15"]
    training("whole", *settings)
    whole = json.loads((training.toy / "whole/checkpoints/latest/progress.json").read_text())
    assert whole["epoch"] == 1
    assert whole["batches_done"] == 2  # an epoch has 13 batches
    with killed_before(last + 1):
        training("broken", *settings)
    training("broken", *settings, resume=True)
    training.assert_same("whole", "broken")


def test_resumed_after_early_stopping(training):
    """Nothing more to do with the same patience; with more, the run is the one that had it from the start."""
    settings = ["training.learning_rate=1e-9", "training.max_steps=100", "training.validate_every=2"]
    assert training("whole", *settings, "training.patience=2").step == 6
    assert training("broken", *settings, "training.patience=1").step == 4
    before = training.records("broken")
    assert training("broken", *settings, "training.patience=1", resume=True).step == 4
    assert training.records("broken") == before
    assert training("broken", *settings, "training.patience=2", resume=True).step == 6
    training.assert_same("whole", "broken")


@pytest.mark.parametrize("step", [3, 9])
def test_resumed_before_the_first_checkpoint_equals_unbroken(training, killed_before, step):
    """From the start, or from the first validation, before which there is always a checkpoint."""
    settings = ["training.checkpoint_every=12"]
    with killed_before(step):
        training("broken", *settings)
    assert (training.toy / "broken" / "checkpoints" / "step_6").exists() == (step == 9)
    training("broken", *settings, resume=True)
    training("whole", *settings)
    training.assert_same("whole", "broken")


def test_a_model_without_checkpoints_is_left_alone(training):
    training("run", "training.max_steps=1")
    shutil.rmtree(training.toy / "run" / "checkpoints")
    for resume, message in [(False, "run: not empty; name another"), (True, "run: nothing to resume")]:
        with pytest.raises(ConfigError, match=message):
            training("run", resume=resume)
    (training.toy / "run" / "checkpoints").mkdir()
    (training.toy / "run" / "checkpoints" / "latest").symlink_to("step_1")
    with pytest.raises(ConfigError, match="checkpoints/latest points to step_1, which is gone"):
        training("run", resume=True)
    assert (training.toy / "run" / "model.safetensors").exists()


def test_resumed_again_at_the_last_step_validates_once(training, monkeypatch):
    """A signal in the last validation: the resumed run makes up for it, and says so in its checkpoint."""

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return validate(*arguments)

    settings = ["training.max_steps=2"]
    training("whole", *settings)
    monkeypatch.setattr("seq2seq.training.selection.validate", interrupted)
    with pytest.raises(TrainingStopped):
        training("broken", *settings)
    monkeypatch.undo()
    for _ in range(2):
        training("broken", *settings, resume=True)
        training.assert_same("whole", "broken")


def test_same_command_after_a_crash_says_what_it_found(training, killed_before):
    with killed_before(10):
        training("run")
    message = r"run: not empty; it holds a run with a checkpoint \(step_8\): continue the run there with --resume"
    with pytest.raises(ConfigError, match=message):
        training("run")


def test_resume_takes_the_configs_optimizer_settings(training, toy):
    training("run")
    config = load_config(toy / "config.yaml", ["training.weight_decay=0.5", "training.max_steps=16"])
    with open_run(config, toy / "run", True) as changes:
        assert changes == ["training.weight_decay: 0.0 then, 0.5 now", "training.max_steps: 12 then, 16 now"]
        train(config, toy / "run", True)
    state = torch.load(toy / "run" / "checkpoints" / "latest" / "optimizer.pt", weights_only=True)
    assert state["optimizer"]["param_groups"][0]["weight_decay"] == 0.5


def test_resume_refuses_other_settings_and_no_run(training):
    training("run", "training.max_steps=4")
    with pytest.raises(ConfigError, match=r"model.encoder.cell: 'gru' then, 'lstm' now"):
        training("run", "model.encoder.cell=lstm", resume=True)
    with pytest.raises(ConfigError, match=r"training.seed: 1 then, 2 now"):
        training("run", "training.seed=2", resume=True)
    with pytest.raises(ConfigError, match="nowhere: nothing to resume"):
        training("nowhere", resume=True)
    (training.toy / "run" / "config.yaml").unlink()
    with pytest.raises(ConfigError, match=r"run: has checkpoints but no config.yaml"):
        training("run", resume=True)


@pytest.mark.parametrize(("split", "name"), [("train", "training"), ("validation", "validation")])
def test_resume_refuses_other_text(training, toy, split, name):
    training("run", "training.max_steps=4")
    path = toy / f"{split}.in"
    text = path.read_text()
    path.write_text(text.replace("a", "b", 1))
    with pytest.raises(ConfigError, match=rf"run: the {name} text is not what this run began with \(SHA-256 .* now\)"):
        training("run", "training.max_steps=8", resume=True)
    for side in ("in", "out"):
        (toy / f"{split}.{side}").write_text("a b\n" + (toy / f"{split}.{side}").read_text())
    with pytest.raises(ConfigError, match=r"(500 pairs then, 501|50 pairs then, 51) now"):
        training("run", "training.max_steps=8", resume=True)


def test_resume_takes_the_same_text_from_another_place(training, toy):
    training("run", "training.max_steps=4")
    for side in ("in", "out"):
        shutil.move(toy / f"train.{side}", toy / f"moved.{side}")
    place = [f"data.train.source={toy}/moved.in", f"data.train.target={toy}/moved.out"]
    assert training("run", *place, "training.max_steps=8", resume=True).step == 8


def test_resume_refuses_another_vocabulary(training, toy):
    training("run", "training.max_steps=4")
    training("other", "training.max_steps=4", "tokenizer.type=bpe")
    shutil.rmtree(toy / "run" / "tokenizer")
    shutil.copytree(toy / "other" / "tokenizer", toy / "run" / "tokenizer")
    with pytest.raises(ConfigError, match="run: the tokenizer is not what this run began with"):
        training("run", "training.max_steps=8", resume=True)


def test_data_file_counts_and_says_when_it_is_damaged(training, toy):
    (toy / "train.in").write_text("\n" + (toy / "train.in").read_text())
    (toy / "train.out").write_text("a\n" + (toy / "train.out").read_text())
    training("run", "training.max_steps=4")
    data = json.loads((toy / "run" / "data.json").read_text())
    assert data["train"] | {"sha256": 0, "source_tokens": 0, "target_tokens": 0} == {
        "read": 501, "kept": 500, "dropped": {"empty": 1, "too_long": 0, "ratio": 0}, "sha256": 0,
        "source_tokens": 0, "target_tokens": 0,
    }  # fmt: skip
    assert data["validation"]["read"] == data["validation"]["kept"] == 50
    assert data["train"]["source_tokens"] > 1000
    (toy / "run" / "data.json").write_text("{")
    with pytest.raises(ConfigError, match=r"data.json: damaged"):
        training("run", "training.max_steps=8", resume=True)


@pytest.mark.parametrize("name", ["optimizer.pt", "progress.json", "model.safetensors"])
def test_resume_names_a_damaged_checkpoint_and_another(training, toy, name):
    training("run", "training.keep_checkpoints=2", "training.max_steps=8", "training.validate_every=8")
    path = toy / "run" / "checkpoints" / "latest" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ConfigError, match=r"step_8: damaged checkpoint: .*; another is step_4: make `latest` point"):
        training("run", "training.max_steps=8", resume=True)


def test_resume_notices_bits_that_flipped_and_what_is_missing(training, toy):
    training("run", "training.max_steps=4")
    latest = toy / "run" / "checkpoints" / "latest"
    optimizer, progress = latest / "optimizer.pt", latest / "progress.json"
    whole, content = optimizer.read_bytes(), json.loads(progress.read_text())
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1  # in the moments, where any number would do
    for path, new, message in [
        (optimizer, bytes(damaged), r"optimizer.pt is not as it was written, by the checksum of its part \S+"),
        (progress, json.dumps(content | {"step": 3}).encode(), "progress.json is of step 3"),
        (
            progress,
            json.dumps({k: v for k, v in content.items() if k != "epoch"}).encode(),
            "progress.json: KeyError: 'epoch'",
        ),
        (progress, json.dumps(content | {"epoch": "first"}).encode(), "progress.json: epoch is 'first'"),
    ]:
        before = path.read_bytes()
        path.write_bytes(new)
        with pytest.raises(ConfigError, match=f"step_4: damaged checkpoint: .*{message}"):
            training("run", "training.max_steps=5", resume=True)
        path.write_bytes(before)
    training("run", "training.max_steps=5", resume=True)


def test_resume_on_another_machine_is_reported(training, toy, caplog):
    training("run", "training.max_steps=4")
    path = toy / "run" / "checkpoints" / "latest" / "optimizer.pt"
    saved = torch.load(path, weights_only=True)
    torch.save(saved | {"machine": saved["machine"] | {"torch": "2.11.0"}}, path)
    with caplog.at_level("INFO"):
        training("run", "training.max_steps=5", resume=True)
    assert "resuming with another torch: 2.11.0 then" in caplog.text
    assert "another number of threads" not in caplog.text


def test_half_written_checkpoint_is_named_and_removed(training, toy, caplog):
    training("run", "training.max_steps=4")
    leftover = toy / "run" / "checkpoints" / ".step_8.tmp"
    leftover.mkdir()
    (leftover / "model.safetensors").write_bytes(b"half")
    with caplog.at_level("INFO"):
        assert training("run", "training.max_steps=8", resume=True).step == 8
    assert "removing what was half-written: .step_8.tmp" in caplog.text
    assert not leftover.exists()
