"""Two processes on one machine, over gloo: the same training as one, and no waiting for the dead."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from seq2seq.training.processes import Processes


@pytest.fixture
def start_two(start):
    """Starts two processes of one training, as a launcher does."""

    def start_two(name, *options):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        group = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        return [
            start(
                name,
                "training.device=cpu",
                *options,
                errors=f"{name}.{rank}.err",
                environment=group | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            )
            for rank in range(2)
        ]

    return start_two


SAMPLED = ["tokenizer.sampling_alpha=0.2"]
STREAMING = [*SAMPLED, "data.streaming=true", "data.shuffle_buffer=170", "training.max_epochs=null"]


@pytest.mark.parametrize("source", [SAMPLED, STREAMING], ids=["stored", "streaming"])
def test_two_processes_train_as_one(training, start_two, end, source):
    training("whole", *training.CURVE, *source, "training.batch_tokens=400")
    pair = start_two("two", *training.CURVE, *source, "training.batch_tokens=200")
    assert [end(process) for process in pair] == [0, 0]
    training.assert_same_curve("whole", "two")


@pytest.mark.slow
def test_two_processes_resume_as_two_and_as_one(training, start_two, end):
    training("whole", *training.CURVE, "training.batch_tokens=400")
    settings = [*training.CURVE, "training.batch_tokens=200"]
    for more in (["training.max_steps=7", "training.validate_every=100"], ["--resume", "training.max_steps=10"]):
        assert [end(process) for process in start_two("two", *settings, *more)] == [0, 0]
    (training.toy / "two" / "metrics.jsonl").write_text((training.toy / "whole" / "metrics.jsonl").read_text())
    training("two", *training.CURVE, "training.batch_tokens=400", resume=True)
    training.assert_same_curve("whole", "two")
    pair = start_two("two", *training.CURVE, "training.batch_tokens=400", "--resume")
    assert end(pair[0]) == 2
    message = "400 tokens a step, but training.batch_tokens=400 x training.accumulate=1 x 2 processes is 800"
    assert message in (training.toy / "two.0.err").read_text()


FOREVER = ["training.max_steps=100000", "training.validate_every=100000", "training.checkpoint_every=20"]


def test_a_process_that_dies_ends_the_other_with_a_line(training, start_two, end, wait_for):
    pair = start_two("run", *FOREVER)
    wait_for(training.toy / "run" / "checkpoints" / "latest")
    pair[1].kill()
    began = time.monotonic()
    assert end(pair[0]) == 2
    assert time.monotonic() - began < 60
    error = (training.toy / "run.0.err").read_text()
    assert "process 0 of 2 lost another, whose own message says why; continue with --resume" in error


def test_a_signal_to_one_process_stops_both(training, start_two, end, wait_for):
    pair = start_two("run", *FOREVER)
    wait_for(training.toy / "run" / "checkpoints" / "latest")
    os.kill(pair[1].pid, signal.SIGTERM)
    assert [end(process) for process in pair] == [143, 143]
    assert "stopped by SIGTERM after step" in (training.toy / "run.0.err").read_text()
    assert "stopped" not in (training.toy / "run.1.err").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [
        ["torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "--"],  # else it takes --run for its own
    ],
    ids=["torchrun"],  # on a CPU `accelerate launch` starts one process, whatever number it is told
)
def test_launchers_start_the_same_command(training, launcher):
    options = ["--run", "two", "training.device=cpu", *training.CURVE]
    command = [sys.executable, "-m", *launcher, "seq2seq.cli", "train", "config.yaml", *options]
    done = subprocess.run(command, cwd=training.toy, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    training("whole", *training.CURVE, "training.batch_tokens=400")
    training.assert_same_curve("whole", "two")


def test_one_process_needs_no_others():
    processes = Processes("cpu")
    assert (processes.count, processes.rank, processes.is_main) == (1, 0, True)
    assert processes.gather("thing") == ["thing"]
    assert processes.largest(3) == 3
    with processes.main_first():
        pass
