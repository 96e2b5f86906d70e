"""eole 0.6.4, https://github.com/eole-nlp/eole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.translate import SENTENCES
from peers.peer import SPECIAL, VOCABULARY_SIZE, Model, Peer
from seq2seq.files import write_atomically


class Eole(Peer):
    name = "eole"
    packages = ("eole==0.6.4", "aiohttp")  # the latter undeclared
    speed = r"/ *(\d+) tok/s"

    def finish(self) -> None:
        """The vocabulary as it reads one: a piece and a number of occurrences, without the special ones."""
        pieces = [self.pieces.id_to_piece(index) for index in range(len(SPECIAL), self.pieces.get_piece_size())]
        write_atomically(self.folder / "pieces.txt", "".join(f"{piece}\t1\n" for piece in pieces))

    def config(self, model: Model, updates: int, beam: int) -> dict[str, Any]:
        layers = {"rnn_type": model.cell.upper(), "layers": 1, "hidden_size": 512}  # of both directions together
        attention = {"bahdanau": "mlp", "luong": "general"}[model.attention]
        return {
            "seed": 1,
            "data": {
                "train": {"path_src": "train.source.pieces", "path_tgt": "train.target.pieces"},
                "valid": {"path_src": "validation.source.pieces", "path_tgt": "validation.target.pieces"},
            },
            "src_vocab": "pieces.txt",
            "tgt_vocab": "pieces.txt",
            "share_vocab": True,
            "src_vocab_size": VOCABULARY_SIZE,
            "tgt_vocab_size": VOCABULARY_SIZE,
            "vocab_size_multiple": 1,
            "overwrite": True,
            "report_every": 10,
            "model": {
                "architecture": "custom",
                "input_feed": 1,
                "embeddings": {"word_vec_size": 256},
                "encoder": layers | {"encoder_type": "brnn"},
                "decoder": layers
                | {"decoder_type": "rnn", "bidirectional_encoder": True, "global_attention": attention},
            },
            "training": {
                "model_path": f"models/{model.name}",
                "world_size": int(self.on_gpu),
                "gpu_ranks": [0] if self.on_gpu else [],
                "compute_dtype": "fp32",
                "optim": "adam",
                "learning_rate": 0.001,
                "decay_method": "none",
                "max_grad_norm": 1.0,
                "dropout": [0.3],
                "normalization": "tokens",
                "batch_type": "tokens",
                "batch_size": 2048,
                "bucket_size": 29000,
                "num_workers": 0,
                "train_steps": updates,
                "valid_steps": 10**9,
                "save_checkpoint_steps": updates,
                "keep_checkpoint": 1,
            },
        }

    def training(self, config: Path) -> Sequence[str | Path]:
        return [self.python.with_name("eole"), "train", "-config", config]

    def translation(self, config: Path, model: Model, beam: int) -> Sequence[str | Path]:
        files = ["-src", "input.source.pieces", "-output", "output.pieces"]
        size = ["-batch_size", str(SENTENCES), "-batch_type", "sents", "-compute_dtype", "fp32"]
        size += ["-world_size", "1", "-gpu_ranks", "0"] if self.on_gpu else ["-world_size", "0"]
        model_path = ["-model_path", f"models/{model.name}"]
        return [self.python.with_name("eole"), "predict", *model_path, *files, "-beam_size", str(beam), *size]
