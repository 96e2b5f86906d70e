"""Every file in configs/ builds a model that takes a step."""

from pathlib import Path

import pytest
import torch

from seq2seq.config_file import load_config
from seq2seq.data.batching import collate
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.processes import Processes
from seq2seq.training.state import build_state
from seq2seq.training.step import train_step

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_recipe_takes_a_step(path):
    config = load_config(path)
    size = config.tokenizer.vocabulary_size
    model = Seq2Seq(config.model, size, size)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    batch = collate([[4, 5, 6], [7]], [[8, 9], [10, 11, 12, 13]])
    state = build_state(model, config.training, torch.float32, Processes("cpu"))
    norm = train_step(state, [batch], 8, 1e-3)
    progress = state.progress
    assert progress.num_tokens == 8
    assert 0 < progress.loss_sum / progress.num_tokens < 3 * torch.log(torch.tensor(float(size)))
    assert norm > 0
    changed = [not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True)]
    assert all(changed)
