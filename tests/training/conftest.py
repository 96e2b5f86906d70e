"""Short trainings, and what two runs are compared by."""

import json
import multiprocessing
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from seq2seq.config import Config
from seq2seq.config_file import load_config
from seq2seq.data.batching import Batch, collate
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.loop import train
from seq2seq.training.processes import Processes
from seq2seq.training.run_folder import open_run
from seq2seq.training.state import Progress, TrainingState, build_state
from seq2seq.training.step import train_step


class Training:
    """Trains on the toy corpus, in a folder of a given name beside it."""

    CURVE = ("model.encoder.dropout=0.0", "model.decoder.dropout=0.0", "training.max_steps=20",
             "training.validate_every=10", "training.checkpoint_every=10")  # fmt: skip
    """For runs whose losses are to agree though each draws its own dropout: without any."""

    def __init__(self, toy: Path):
        self.toy = toy

    def __call__(self, name: str, *overrides: str, resume: bool = False) -> Progress:
        config = load_config(self.toy / "config.yaml", list(overrides))
        with open_run(config, self.toy / name, resume):
            return train(config, self.toy / name, resume)

    def records(self, name: str) -> list[dict]:
        """What metrics.jsonl says, less what depends on the clock."""
        lines = [json.loads(line) for line in (self.toy / name / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in line.items() if k not in ("seconds", "tokens_per_second")} for line in lines]

    def assert_same_curve(self, one: str, other: str) -> None:
        """The same losses at the same steps, but for the rounding of sums."""
        first, second = ([(r["kind"], r["step"], r["loss"]) for r in self.records(name)] for name in (one, other))
        assert [record[:2] for record in first] == [record[:2] for record in second]
        assert [record[2] for record in first] == pytest.approx([record[2] for record in second], rel=1e-4)

    def assert_same(self, one: str, other: str) -> None:
        """Records, best weights, and all that another session would go on from, bit for bit."""
        assert self.records(one) == self.records(other)
        assert (self.toy / one / "data.json").read_bytes() == (self.toy / other / "data.json").read_bytes()
        for name in ("model.safetensors", "checkpoints/latest/model.safetensors"):
            first, second = load_file(self.toy / one / name), load_file(self.toy / other / name)
            assert first.keys() == second.keys()
            assert all(torch.equal(first[key], second[key]) for key in first), name
        states, progress = [], []
        for run in (one, other):
            latest = self.toy / run / "checkpoints" / "latest"
            states.append(torch.load(latest / "optimizer.pt", weights_only=True))
            assert states[-1].pop("machine")
            clockless = json.loads((latest / "progress.json").read_text())
            progress.append({key: value for key, value in clockless.items() if "seconds" not in key})
        assert progress[0] == progress[1]
        torch.testing.assert_close(states[0], states[1], rtol=0, atol=0)


@pytest.fixture
def training(toy: Path) -> Training:
    return Training(toy)


@pytest.fixture
def batches() -> list[Batch]:
    """Of ids below 17 and 19; the first has 8 target tokens, and the last is as wide as the first when both are padded
    to a multiple of 4."""
    return [
        collate([[4, 5, 6], [7]], [[8, 9], [10, 11, 12, 13]]),
        collate([[4], [5], [6, 7], [8], [9]], [[8], [9], [10], [11], [12, 13, 14, 15]]),
        collate([[5]], [[6, 7, 8, 9, 10]]),
    ]


@pytest.fixture
def new_state():
    """Makes the state before the first step, of such settings of the model and the training, for those ids."""

    def make(model: dict | None = None, device: str = "cpu", precision: str = "float32", **training) -> TrainingState:
        corpus = {"source": "a", "target": "b"}
        data = {"source_language": "in", "target_language": "out", "train": corpus, "validation": corpus}
        config = Config.model_validate({"data": data, "model": model or {}, "training": training})
        torch.manual_seed(0)
        made = Seq2Seq(config.model, 17, 19).to(device).train()
        return build_state(made, config.training, getattr(torch, precision), Processes(device))

    return make


class Killed(Exception):
    pass


@pytest.fixture
def killed_before(monkeypatch):
    """The training within ends before a step, without a word to it."""

    @contextmanager
    def killed_before(step):
        def dying_step(state, *arguments):
            if state.progress.step + 1 == step:
                raise Killed
            return train_step(state, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr("seq2seq.training.loop.train_step", dying_step)
            with pytest.raises(Killed):
                yield

    return killed_before


@pytest.fixture(scope="session")
def forks():
    """Starts children as forks of a process that has imported everything and has no other threads."""
    sys.path.insert(0, str(Path(__file__).parent))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["train_child", "seq2seq.training.loop", "seq2seq.training.logs", "accelerate", "datasets", "matplotlib.figure",
         "sacrebleu.metrics"]
    )  # fmt: skip
    yield context
    sys.path.remove(str(Path(__file__).parent))


@pytest.fixture
def start(forks, toy):
    """Starts `seq2seq train` on the toy corpus in a child process; what it says on stderr goes to NAME.err."""
    started = []

    def start(name, *options, errors=None, **circumstances):
        import train_child  # pyright: ignore[reportMissingImports] (the fixture makes it importable)

        arguments = ["train", str(toy / "config.yaml"), "--run", str(toy / name), *options]
        errors = toy / (errors or f"{name}.err")
        child = forks.Process(target=train_child.run, args=(arguments, errors), kwargs=circumstances)
        child.start()
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.join()


@pytest.fixture
def end():
    """Waits for a child to end; returns its status."""

    def end(child, seconds=600):
        child.join(seconds)
        assert child.exitcode is not None, f"still running after {seconds} seconds"
        return child.exitcode

    return end


@pytest.fixture
def wait_for():
    def wait_for(path, seconds=300):
        deadline = time.monotonic() + seconds
        while not path.exists():
            assert time.monotonic() < deadline, f"{path} did not appear"
            time.sleep(0.005)

    return wait_for
