"""JoeyNMT 2.3.0, https://github.com/joeynmt/joeynmt."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.translate import SENTENCES
from peers.peer import SPECIAL, Model, Peer
from seq2seq.files import write_atomically


class JoeyNMT(Peer):
    name = "joeynmt"
    packages = ("joeynmt==2.3.0", "importlib_metadata", "sentencepiece==0.2.1")  # undeclared; the last that it reads
    speed = r"Tokens per Sec:\s+(\d+)"

    def finish(self) -> None:
        """Take out an argument of the learning rate's schedulers that PyTorch no longer has."""
        (builders,) = self.folder.glob("venv/lib/python*/site-packages/joeynmt/builders.py")
        lines = builders.read_text(encoding="utf-8").splitlines(keepends=True)
        write_atomically(builders, "".join(line for line in lines if '"verbose": False' not in line))

    def config(self, model: Model, updates: int, beam: int) -> dict[str, Any]:
        side = {
            "max_length": 100,
            "level": "bpe",
            "voc_file": "joint.vocab",
            "tokenizer_type": "sentencepiece",
            "tokenizer_cfg": {"model_file": "joint.model", "pretokenizer": "none"},
        }
        layers = {
            "type": "recurrent",
            "rnn_type": model.cell,
            "num_layers": 1,
            "dropout": 0.3,
            "embeddings": {"embedding_dim": 256, "scale": False, "dropout": 0.3},
        }
        return {
            "name": model.name,
            "joeynmt_version": "2.3.0",
            "model_dir": f"models/{model.name}",
            "use_cuda": self.on_gpu,
            "random_seed": 1,
            "data": {
                "train": "train",
                "dev": "validation",
                "test": "test",
                "dataset_type": "plain",
                "src": side | {"lang": "source"},
                "trg": side | {"lang": "target"},
                "special_symbols": {
                    key: value
                    for index, (name, token) in enumerate(zip(("unk", "pad", "bos", "eos"), SPECIAL, strict=True))
                    for key, value in ((f"{name}_token", token), (f"{name}_id", index))
                },
            },
            "training": {
                "optimizer": "adam",
                "scheduling": "plateau",  # by validations, of which there is one, at the end
                "patience": 4,
                "decrease_factor": 0.5,
                "learning_rate": 0.001,
                "learning_rate_min": 1e-5,
                "clip_grad_norm": 1.0,
                "label_smoothing": 0.0,
                "normalization": "tokens",
                "batch_size": 2048,
                "batch_type": "token",
                "epochs": 1000,
                "updates": updates,
                "validation_freq": updates,  # then it saves the model
                "logging_freq": 10,
                "early_stopping_metric": "bleu",
                "overwrite": True,
                "shuffle": True,
            },
            "testing": {
                "beam_size": beam,
                "beam_alpha": 1.0,
                "batch_size": SENTENCES,
                "batch_type": "sentence",
                "max_output_length": 80,
                "eval_metrics": ["bleu"],
            },
            "model": {
                "initializer": "xavier_uniform",
                "embed_initializer": "normal",
                "embed_init_weight": 0.1,
                "bias_initializer": "zeros",
                "tied_embeddings": False,
                "tied_softmax": False,
                "encoder": layers | {"hidden_size": 256, "bidirectional": True},
                "decoder": layers
                | {"hidden_size": 512, "hidden_dropout": 0.3, "attention": model.attention}
                | {"input_feeding": True, "init_hidden": "bridge"},
            },
        }

    def training(self, config: Path) -> Sequence[str | Path]:
        return [self.python, "-m", "joeynmt", "train", config, "--skip-test"]

    def translation(self, config: Path, model: Model, beam: int) -> Sequence[str | Path]:
        return [self.python, "-m", "joeynmt", "translate", config]
