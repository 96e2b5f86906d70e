"""Short trainings, and what two runs are compared by."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from seq2seq.config_file import load_config
from seq2seq.training.loop import train
from seq2seq.training.run_folder import open_run
from seq2seq.training.state import Progress


class Training:
    """Trains on the toy corpus, in a folder of a given name beside it."""

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
