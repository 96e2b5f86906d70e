"""What every test runs under: no network, one thread, a fixed seed."""

import atexit
import io
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Read by the libraries when they are imported, and by the commands that tests start.
_caches = tempfile.mkdtemp(prefix="seq2seq-tests-")
atexit.register(shutil.rmtree, _caches, ignore_errors=True)
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": _caches, "MPLBACKEND": "agg",
               "OMP_NUM_THREADS": "1"}  # fmt: skip

import hypothesis  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from torch.utils._pytree import tree_leaves, tree_map_only  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent

torch.set_num_threads(1)  # the tensors of tests are too small to share out
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.register_profile(  # of `make fuzz`: other inputs each time, and many more
    "fuzz", deadline=None, max_examples=4000, print_blob=True, suppress_health_check=list(hypothesis.HealthCheck)
)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def multi30k() -> Path:
    """The folder with train, val and test2016, each as .en and .de."""
    for folder in (ROOT / "data" / "multi30k", ROOT.parent / "shared" / "data" / "multi30k"):
        if folder.is_dir():
            return folder
    pytest.skip("needs Multi30k in data/multi30k")


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch):
    """Gives standard input its content."""

    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


@pytest.fixture
def check_error(capsys: pytest.CaptureFixture):
    """Runs a command that is to be refused, with exit status 2 and one line, which says this; returns the line."""

    def check(arguments: Sequence[object], message: str) -> str:
        from seq2seq.cli import main

        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 2
        out, line = capsys.readouterr()
        assert out == ""
        assert message in line
        assert line.startswith("seq2seq: error: ")
        assert line.count("\n") == 1
        return line

    return check


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A folder with a corpus that a small model learns in seconds: words to spell backwards; and its config.yaml."""
    return write_toy(tmp_path)


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that a command left, briefly trained on such a corpus, which lies in the folder above."""
    from seq2seq.cli import main

    folder = write_toy(tmp_path_factory.mktemp("toy"))
    assert main(["train", str(folder / "config.yaml"), "training.max_steps=150", "--run", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture(scope="session", name="write_toy")
def _write_toy():
    return write_toy


def write_toy(tmp_path: Path) -> Path:
    generator = random.Random(0)
    sources = [" ".join(generator.choices("abcdefgh", k=generator.randint(2, 6))) for _ in range(600)]
    for split, lines in {"train": sources[:500], "validation": sources[500:550], "test": sources[550:]}.items():
        (tmp_path / f"{split}.in").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        (tmp_path / f"{split}.out").write_text("".join(line[::-1] + "\n" for line in lines), encoding="utf-8")
    (tmp_path / "config.yaml").write_text(
        f"""
data:
  source_language: in
  target_language: out
  train: {{source: {tmp_path}/train.in, target: {tmp_path}/train.out}}
  validation: {{source: {tmp_path}/validation.in, target: {tmp_path}/validation.out}}
  test: {{source: {tmp_path}/test.in, target: {tmp_path}/test.out}}
tokenizer: {{vocabulary_size: 290}}
model:
  embedding_size: 16
  encoder: {{hidden_size: 16, dropout: 0.1}}
  decoder: {{hidden_size: 32, dropout: 0.1}}
training: {{batch_tokens: 200, learning_rate: 0.01, max_epochs: null, max_steps: 12, validate_every: 6,
            checkpoint_every: 4, precision: float32}}
""",
        encoding="utf-8",
    )
    return tmp_path


class ReplayedOnCPU:
    """Stands for a CUDA graph where there is no GPU: works anew on what it was recorded with."""

    def __init__(self, run: Callable[[], Any], result: Any):
        self.run, self.result = run, result

    def replay(self) -> None:
        for recorded, new in zip(tree_leaves(self.result), tree_leaves(self.run()), strict=True):
            if recorded is not new and isinstance(recorded, torch.Tensor):
                recorded.copy_(new)

    def pool(self) -> str:
        return "pool"


@pytest.fixture
def record_on_cpu(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What records CUDA graphs does without a GPU; the pools of memory that it was given."""
    pools = []

    def record(run: Callable[[], Any], changed: Sequence[torch.Tensor], pool: str | None) -> tuple[ReplayedOnCPU, Any]:
        pools.append(pool)
        before = [tensor.clone() for tensor in changed]
        with torch.random.fork_rng():
            result = tree_map_only(torch.Tensor, lambda tensor: tensor.detach().clone(), run())
        for tensor, kept in zip(changed, before, strict=True):
            tensor.copy_(kept)
        return ReplayedOnCPU(run, result), result

    for module in ("seq2seq.training.graphs", "seq2seq.inference.step_graphs"):
        monkeypatch.setattr(f"{module}.record", record)
    return pools
