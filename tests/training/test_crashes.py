"""Trainings that are killed, stopped by signals, or run out of disk."""

import os
import random
import resource
import shutil
import signal
import time
from pathlib import Path

import pytest

from seq2seq.cli import main
from seq2seq.errors import TrainingStopped, UserError
from seq2seq.training.step import train_step
from seq2seq.training.validation import validate

SETTINGS = ["training.checkpoint_every=1", "training.keep_checkpoints=2", "training.validate_every=9"]


def options(run):
    """A tokenized corpus of its own, so that kills hit that, too; and --resume where there is something to resume."""
    return [f"data.cache={run}.cache", *(["--resume"] if (run / "train.log").exists() else [])]


def kill_at_random(start, end, training, kills, seed):
    """Resume a run again and again, killing each session at a random instant, until it has been killed so often."""
    generator = random.Random(seed)
    began = time.monotonic()
    assert end(start("whole", *SETTINGS)) == 0
    whole = time.monotonic() - began
    run, killed = training.toy / "broken", 0
    longest = 0.4 * whole  # of a session: most end before the run does
    for _ in range(20 * kills):
        child = start("broken", *SETTINGS, *options(run))
        time.sleep(generator.uniform(0, longest))
        child.kill()
        if end(child) == -signal.SIGKILL:
            killed += 1
        if killed == kills:
            break
        if (run / "checkpoints" / "step_12").exists():  # the end: kill another run, too
            assert end(start("broken", *SETTINGS, *options(run))) == 0
            training.assert_same("whole", "broken")
            shutil.rmtree(run)
            shutil.rmtree(f"{run}.cache")
    assert killed == kills
    assert end(start("broken", *SETTINGS, *options(run))) == 0
    training.assert_same("whole", "broken")


def test_killed_at_random_instants(start, end, training):
    kill_at_random(start, end, training, kills=3, seed=1)


@pytest.mark.slow
def test_killed_60_times_at_random_instants(start, end, training):
    kill_at_random(start, end, training, kills=60, seed=2)


def die_at_each(start, end, training, numbers):
    for number in numbers:
        run = training.toy / f"broken_{number}"
        settings = ["training.max_steps=3", "training.validate_every=2", "training.keep_checkpoints=1"]
        assert end(start(run.name, *SETTINGS, *settings, *options(run), die_at=number, watched=run)) == 9
        assert end(start(run.name, *SETTINGS, *settings, *options(run))) == 0, Path(f"{run}.err").read_text()
        training.assert_same("whole", run.name)
        assert not list(run.glob("**/.*")), "leftovers"
        assert {path.suffix for path in Path(f"{run}.cache").iterdir()} == {"", ".lock"}


@pytest.fixture
def num_operations(start, end, training):
    """How often an unbroken short run touches its folder and that of its tokenized corpus."""
    run = training.toy / "whole"
    settings = ["training.max_steps=3", "training.validate_every=2", "training.keep_checkpoints=1"]
    assert end(start("whole", *SETTINGS, *settings, *options(run), watched=run)) == 0
    return int((training.toy / "whole.err").read_text().split()[0])


@pytest.mark.slow
def test_killed_at_every_operation_on_files(start, end, training, num_operations):
    assert num_operations > 100
    die_at_each(start, end, training, range(1, num_operations + 1))


def test_terminated_saves_and_exits(start, end, wait_for, training):
    child = start("broken", *SETTINGS)
    wait_for(training.toy / "broken" / "checkpoints" / "latest")
    began = time.monotonic()
    os.kill(child.pid, signal.SIGTERM)
    assert end(child) == 143
    assert time.monotonic() - began < 10
    (line,) = (training.toy / "broken.err").read_text().splitlines()
    step = int((training.toy / "broken" / "checkpoints" / "latest").readlink().name.removeprefix("step_"))
    assert f"stopped by SIGTERM after step {step} of 12, which is saved; continue with --resume" in line
    assert line.split(": ", 2)[2] in (training.toy / "broken" / "train.log").read_text()


@pytest.fixture
def send_at_step(monkeypatch):
    """Sends this process signals in the middle of a step."""

    def arrange(step, *numbers, pause=0.0):
        def signalled_step(state, *arguments):
            result = train_step(state, *arguments)
            if state.progress.step == step:
                for number in numbers:
                    os.kill(os.getpid(), number)
                    time.sleep(pause)
            return result

        monkeypatch.setattr("seq2seq.training.loop.train_step", signalled_step)

    return arrange


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_signal_in_a_step_saves_it_and_is_the_status(training, send_at_step, capsys, name):
    run = training.toy / "run"
    send_at_step(6, getattr(signal, name))
    status = main(["train", str(training.toy / "config.yaml"), "--run", str(run)])
    assert status == 128 + getattr(signal, name)
    assert (run / "checkpoints" / "latest").readlink().name == "step_6"
    line = f"seq2seq: {run}: stopped by {name} after step 6 of 12, which is saved; continue with --resume\n"
    assert capsys.readouterr() == ("", line)


def test_second_interrupt_stops_at_once(training, send_at_step, monkeypatch):
    monkeypatch.setattr("seq2seq.training.stopping.ECHO_SECONDS", 0.01)
    send_at_step(6, signal.SIGINT, signal.SIGINT, pause=0.02)
    with pytest.raises(KeyboardInterrupt):
        training("run")
    assert (training.toy / "run" / "checkpoints" / "latest").readlink().name == "step_4"


def test_interrupt_that_a_launcher_repeats_is_one(training, send_at_step):
    before = signal.getsignal(signal.SIGINT)
    send_at_step(6, signal.SIGINT, signal.SIGINT)
    with pytest.raises(TrainingStopped, match="stopped by SIGINT after step 6 of 12"):
        training("run")
    assert (training.toy / "run" / "checkpoints" / "latest").readlink().name == "step_6"
    assert signal.getsignal(signal.SIGINT) is before


def test_signal_during_validation_leaves_it_to_the_resumed_run(training, monkeypatch):
    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return validate(*arguments)

    training("whole")
    monkeypatch.setattr("seq2seq.training.selection.validate", interrupted)
    for _ in range(2):  # the second before any step: the checkpoint stands already
        with pytest.raises(TrainingStopped, match="stopped by SIGTERM after step 6"):
            training("broken", resume=(training.toy / "broken").exists())
    assert not (training.toy / "broken" / "model.safetensors").exists()
    monkeypatch.undo()
    training("broken", resume=True)
    training.assert_same("whole", "broken")


def test_full_disk_leaves_the_old_checkpoint(training):
    """RLIMIT_FSIZE stands for the disk: no file may grow beyond what the weights alone need."""
    training("broken", "training.max_steps=4")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    weights = (training.toy / "broken" / "checkpoints" / "latest" / "model.safetensors").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (weights + 1000, limits[1]))
    try:
        message = r"optimizer.pt: cannot write: File too large; step_4 is intact: mend this and continue with --resume"
        with pytest.raises(UserError, match=message):
            training("broken", resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name for path in (training.toy / "broken" / "checkpoints").iterdir()} == {"step_4", "latest"}
    training("broken", resume=True)
    training("whole", "training.max_steps=4")
    training("whole", resume=True)
    training.assert_same("whole", "broken")


def test_full_disk_under_the_log_is_one_line(start, end, training, monkeypatch):
    """/dev/full answers every write as a full disk does."""
    (training.toy / "run").mkdir()
    (training.toy / "run" / "train.log").symlink_to("/dev/full")
    assert end(start("run", *SETTINGS)) == 2
    (line,) = (training.toy / "run.err").read_text().splitlines()
    assert "run: cannot write: No space left on device" in line


def test_folder_that_cannot_be_made_is_refused_before_anything_is_computed(training, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match="run: cannot make or write the run folder: Permission denied"):
        training("run")


def test_file_in_place_of_a_folder_is_named(training):
    training("run")
    (training.toy / "run" / "metrics.jsonl").unlink()
    (training.toy / "run" / "metrics.jsonl").mkdir()
    message = r"metrics.jsonl: cannot write: Is a directory; step_12 is intact: mend this and continue with --resume"
    with pytest.raises(UserError, match=message):
        training("run", "training.max_steps=100", resume=True)
