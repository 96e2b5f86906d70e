"""Time JoeyNMT 2.3.0 (https://github.com/joeynmt/joeynmt) at the model and on the data of the benchmark.

    python scripts/joeynmt.py setup runs/joeynmt       # an environment of its own, the data, a vocabulary
    python scripts/joeynmt.py train runs/joeynmt --updates 220
    python scripts/joeynmt.py translate runs/joeynmt --beam 1

The last line printed is the JSON object that `benchmark.py --peer` reads. The package does not run beside the newest
others: `setup` adds importlib_metadata, which it does not declare, holds sentencepiece at 0.2.1, and takes out of its
builders.py an argument of the schedulers that PyTorch no longer has.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import sentencepiece
import yaml

from benchmark.contest import PEAK
from benchmark.train import KEY as TRAINING_KEY
from benchmark.translate import KEY as TRANSLATION_KEY
from benchmark.translate import PIECES_KEY, SENTENCES
from measuring.command import exit_status
from seq2seq.cli.arguments import positive
from seq2seq.config_file import load_config
from seq2seq.data.corpus import read_corpus
from seq2seq.errors import UserError
from seq2seq.files import write_atomically

PACKAGES = ["joeynmt==2.3.0", "importlib_metadata", "sentencepiece==0.2.1"]
SPECIAL = {"unk": "<unk>", "pad": "<pad>", "bos": "<s>", "eos": "</s>"}
"""In the order of their ids, 0 to 3."""


def settings(folder: Path, attention: str, cell: str, updates: int, beam: int) -> dict[str, object]:
    """Its config; the model and its training are those of `benchmark.train`."""
    embeddings = {"embedding_dim": 256, "scale": False, "dropout": 0.3}
    side = {
        "max_length": 100,
        "level": "bpe",
        "voc_file": str(folder / "joint.vocab"),
        "tokenizer_type": "sentencepiece",
        "tokenizer_cfg": {"model_file": str(folder / "joint.model"), "pretokenizer": "none"},
    }
    encoder = {"type": "recurrent", "rnn_type": cell, "num_layers": 1, "hidden_size": 256, "bidirectional": True}
    decoder = {"type": "recurrent", "rnn_type": cell, "num_layers": 1, "hidden_size": 512, "attention": attention}
    special = {f"{name}_token": token for name, token in SPECIAL.items()} | {
        f"{name}_id": index for index, name in enumerate(SPECIAL)
    }
    return {
        "name": f"{attention}-{cell}",
        "joeynmt_version": "2.3.0",
        "model_dir": str(folder / "models" / f"{attention}-{cell}"),
        "use_cuda": False,
        "random_seed": 1,
        "data": {
            **{split: str(folder / "data" / split) for split in ("train", "dev", "test")},
            "dataset_type": "plain",
            "src": side | {"lang": "source"},
            "trg": side | {"lang": "target"},
            "special_symbols": special,
        },
        "training": {
            "optimizer": "adam",
            "scheduling": "plateau",  # by validations, of which there are none
            "learning_rate": 0.001,
            "learning_rate_min": 1e-5,
            "patience": 4,
            "decrease_factor": 0.5,
            "clip_grad_norm": 1.0,
            "label_smoothing": 0.0,
            "normalization": "tokens",
            "batch_size": 2048,
            "batch_type": "token",
            "epochs": 1000,
            "updates": updates,
            "validation_freq": 10**9,
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
            "encoder": encoder | {"dropout": 0.3, "embeddings": embeddings},
            "decoder": decoder
            | {"dropout": 0.3, "hidden_dropout": 0.3, "input_feeding": True, "init_hidden": "bridge"}
            | {"embeddings": embeddings},
        },
    }


def set_up(folder: Path, config_path: str, overrides: Sequence[str]) -> dict[str, float]:
    """Raises: UserError: The config or its data cannot be read, or the packages not be installed."""
    data = load_config(config_path, list(overrides)).data
    if data.test is None:
        raise UserError(f"{config_path}: data.test names no test set; give data.test.source and data.test.target")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for split, place in {"train": data.train, "dev": data.validation, "test": data.test}.items():
        corpus = read_corpus(place, data, {"dev": "validation"}.get(split, split))
        write_atomically(folder / "data" / f"{split}.source", "\n".join([*corpus.source, ""]))
        write_atomically(folder / "data" / f"{split}.target", "\n".join([*corpus.target, ""]))
    sentencepiece.SentencePieceTrainer.train(
        input=[str(folder / "data" / f"train.{side}") for side in ("source", "target")],
        model_prefix=str(folder / "joint"),
        model_type="unigram",
        vocab_size=8000,
        hard_vocab_limit=False,
        character_coverage=1.0,
        vocabulary_output_piece_score=False,
        minloglevel=2,
        unk_id=0,
        pad_id=1,
        bos_id=2,
        eos_id=3,
    )
    venv.create(folder / "venv", with_pip=True)
    torch = f"torch=={version('torch').partition('+')[0]}"
    _call([folder / "venv/bin/python", "-m", "pip", "install", "--quiet", torch, *PACKAGES], folder / "setup.log")
    (builders,) = (folder / "venv").glob("lib/python*/site-packages/joeynmt/builders.py")
    lines = builders.read_text(encoding="utf-8").splitlines(keepends=True)
    write_atomically(builders, "".join(line for line in lines if '"verbose": False' not in line))
    return {"vocabulary": len((folder / "joint.vocab").read_text(encoding="utf-8").splitlines())}


def train(folder: Path, attention: str, cell: str, threads: int, updates: int) -> dict[str, float]:
    """The median of what its log tells each ten updates, without the first.

    Raises:
        UserError: It fails, or has too few updates to tell.
    """
    config = _configure(folder, settings(folder, attention, cell, updates, beam=5))
    log = config.with_suffix(".train.log")
    _call([folder / "venv/bin/python", "-m", "joeynmt", "train", config, "--skip-test"], log, threads)
    speeds = [int(speed) for speed in re.findall(r"Tokens per Sec:\s+(\d+)", log.read_text(encoding="utf-8"))][1:]
    if not speeds:
        raise UserError(f"{log}: no speeds after the first ten updates; it needs --updates 20 or more")
    return {TRAINING_KEY: statistics.median(speeds), PEAK: _peak()}


def translate(folder: Path, attention: str, cell: str, threads: int, beam: int) -> dict[str, float]:
    """The whole test set with what `train` left; the time that one sentence takes is taken off.

    Raises:
        UserError: It fails.
    """
    config = _configure(folder, settings(folder, attention, cell, updates=1, beam=beam))
    sources = (folder / "data" / "test.source").read_text(encoding="utf-8").splitlines(keepends=True)
    command = [folder / "venv/bin/python", "-m", "joeynmt", "translate", config]
    seconds: list[float] = []
    translations = folder / "translations.txt"
    for text in (sources[0], "".join(sources)):
        started = time.perf_counter()
        _call(command, config.with_suffix(".translate.log"), threads, text, translations)
        seconds.append(time.perf_counter() - started)
    hypotheses = translations.read_text(encoding="utf-8").splitlines()
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "joint.model")).encode(hypotheses)
    taken = seconds[1] - seconds[0]
    num_pieces = sum(len(ids) + 1 for ids in pieces)
    return {TRANSLATION_KEY: len(sources) / taken, PIECES_KEY: num_pieces / taken, PEAK: _peak()}


def _configure(folder: Path, config: dict[str, object]) -> Path:
    path = folder / f"{config['name']}.yaml"
    if not (folder / "venv").is_dir():
        raise UserError(f"{folder}: there is no JoeyNMT yet; first: python scripts/joeynmt.py setup {folder}")
    write_atomically(path, yaml.safe_dump(config, sort_keys=False))
    return path


def _call(
    command: Sequence[str | Path], log: Path, threads: int | None = None, text: str = "", output: Path | None = None
) -> None:
    """Its output goes to the log, too, unless it has a file of its own.

    Raises:
        UserError: It ends with another status than 0.
    """
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    environment.pop("PYTHONPATH", None)  # its environment has packages of its own
    with log.open("w", encoding="utf-8") as messages:
        process = subprocess.run(
            command,
            input=text,
            stdout=messages if output is None else subprocess.PIPE,
            stderr=messages,
            env=environment,
            encoding="utf-8",
        )
    if output is not None:
        output.write_text(process.stdout, encoding="utf-8")
    if process.returncode != 0:
        raise UserError(f"JoeyNMT ended with status {process.returncode}; {log} has its messages")


def _peak() -> float:
    """The largest resident memory of a process that this one has called, in MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    setup = commands.add_parser("setup", help="install it, and prepare the data and the vocabulary")
    training = commands.add_parser("train", help="target tokens a second")
    translation = commands.add_parser("translate", help="sentences a second of the test set, after a training")
    for command in (setup, training, translation):
        command.add_argument(
            "folder", metavar="DIR", type=lambda text: Path(text).resolve(), help="all it has is there"
        )
    setup.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="replaces settings, such as data.train.source")
    setup.add_argument(
        "--config", metavar="FILE", default="configs/multi30k.yaml", help="its data (default: %(default)s)"
    )
    for command in (training, translation):
        command.add_argument("--attention", choices=("bahdanau", "luong"), default="bahdanau", help="(%(default)s)")
        command.add_argument("--cell", choices=("gru", "lstm"), default="gru", help="(%(default)s)")
        command.add_argument("--threads", metavar="N", type=positive, default=2, help="(%(default)s)")
    training.add_argument("--updates", metavar="N", type=positive, default=60, help="(%(default)s)")
    translation.add_argument("--beam", metavar="K", type=positive, default=5, help="(%(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)

    def work() -> int:
        if options.command == "setup":
            figures = set_up(options.folder, options.config, options.overrides)
        elif options.command == "train":
            figures = train(options.folder, options.attention, options.cell, options.threads, options.updates)
        else:
            figures = translate(options.folder, options.attention, options.cell, options.threads, options.beam)
        print(json.dumps(figures))
        return 0

    return exit_status("joeynmt.py", work, options.folder, "the folder may be used again")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
