"""A model folder made without training, and a stand-in for the hub."""

from pathlib import Path

import pytest
import yaml

from seq2seq.config import Config
from seq2seq.config_file import save_config
from seq2seq.data.corpus import Corpus
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.sharing.model_files import save_weights

SETTINGS = {
    "data": {
        "source_language": "en",
        "target_language": "fr-CA",
        "train": {"source": "/home/me/secret/train.en", "target": r"C:\me\train.fr"},
        "validation": {"hub": "owner/corpus", "hub_config": "en-fr"},
    },
    "tokenizer": {"vocabulary_size": 290},
    "model": {
        "embedding_size": 7,
        "encoder": {"hidden_size": 5},
        "decoder": {"hidden_size": 11},
        "attention": {"size": 3},
        "vectors": {"source": "../../me/wiki.en.vec", "frozen": "source"},
    },
}


@pytest.fixture
def make_model(tmp_path: Path):
    """Makes a folder with an untrained model, its settings changed by dotted keys."""

    def make(name: str = "model", **changes) -> Path:
        config = Config.model_validate(change(SETTINGS, changes))
        folder = tmp_path / name
        folder.mkdir(parents=True)
        text = Corpus(["the cat sat on a mat", "a dog"], ["le chat", "un chien assis"])
        tokenizer = Tokenizer.train(config.tokenizer, text)
        save_config(config, folder / "config.yaml")
        tokenizer.save(folder / "tokenizer")
        model = Seq2Seq(config.model, tokenizer.source_size, tokenizer.target_size)
        save_weights(model, folder / "model.safetensors")
        return folder

    return make


@pytest.fixture
def edit_config():
    """Changes settings in a folder's config.yaml by dotted keys, unchecked."""

    def edit(folder: Path, changes: dict) -> None:
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(change(yaml.safe_load(path.read_text()), changes)))

    return edit


def change(settings: dict, changes: dict) -> dict:
    settings = yaml.safe_load(yaml.safe_dump(settings))
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = settings
        for part in sections:
            section = section.setdefault(part, {})
        section[name] = value
    return settings
