"""A model of untrained weights, and a run with a checkpoint, to put random bytes into."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import torch

from seq2seq.cli.messages import one_line
from seq2seq.config import Config
from seq2seq.config_file import load_config, save_config
from seq2seq.data.corpus import Corpus
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import UserError
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.sharing.model_files import save_weights
from seq2seq.training.loop import train
from seq2seq.training.run_folder import open_run

SETTINGS = {
    "data": {"source_language": "en", "target_language": "fr", "train": {"hub": "a"}, "validation": {"hub": "a"}},
    "tokenizer": {"vocabulary_size": 290},
    "model": {
        "embedding_size": 7,
        "encoder": {"hidden_size": 5},
        "decoder": {"hidden_size": 11},
        "attention": {"size": 3},
    },
    "search": {"beam_size": 2},
}


@pytest.fixture(scope="session")
def any_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weights are large, and its translations so random as tokens are: bytes of all kinds, long and short."""
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("fuzz") / "model"
    folder.mkdir()
    config = Config.model_validate(SETTINGS)
    text = Corpus(["the cat sat on a mat", "a dog"], ["le chat", "un chien assis"])
    tokenizer = Tokenizer.train(config.tokenizer, text)
    save_config(config, folder / "config.yaml")
    tokenizer.save(folder / "tokenizer")
    model = Seq2Seq(config.model, tokenizer.source_size, tokenizer.target_size)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)
    save_weights(model, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def short_run(tmp_path_factory: pytest.TempPathFactory, write_toy) -> Path:
    """What a training of a few steps left."""
    toy = write_toy(tmp_path_factory.mktemp("fuzz"))
    config = load_config(toy / "config.yaml", ["training.max_steps=4", "training.validate_every=4"])
    with open_run(config, toy / "run", resume=False):
        train(config, toy / "run", resume=False)
    return toy / "run"


@pytest.fixture(scope="session")
def attempt():
    """Does something with any input: its result; or None where it is refused, in a line that has one of these names."""

    def attempt(action: Callable[[], T], *names: str) -> T | None:
        try:
            return action()
        except UserError as error:
            message = one_line(error)
        assert any(one_line(name) in message for name in names), message
        return None

    return attempt


T = TypeVar("T")
