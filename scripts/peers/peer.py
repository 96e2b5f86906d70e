"""What is the same for all peers: an environment, the data, a vocabulary, and how a run of theirs is timed."""

import os
import re
import resource
import statistics
import subprocess
import time
import venv
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import sentencepiece
import yaml

from benchmark.contest import PEAK
from benchmark.train import KEY as TRAINING_KEY
from benchmark.translate import KEY as TRANSLATION_KEY
from benchmark.translate import PIECES_KEY
from seq2seq.config_file import load_config
from seq2seq.data.corpus import read_corpus
from seq2seq.errors import UserError
from seq2seq.files import write_atomically

VOCABULARY_SIZE = 8000
SPECIAL = ("<unk>", "<pad>", "<s>", "</s>")
"""In the order of their ids, 0 to 3."""


class Model(NamedTuple):
    attention: str
    """bahdanau or luong, which both get input feeding."""
    cell: str
    """gru or lstm."""

    @property
    def name(self) -> str:
        return f"{self.attention}-{self.cell}"


class Peer(ABC):
    """A toolkit in a folder: `venv`, the three splits as `train.source` and so on, `joint.model`, configs and logs.

    `.source` and `.target` are text, `.source.pieces` and `.target.pieces` the same as pieces with a space between.
    """

    name: str
    packages: Sequence[str]
    """As pip takes them; PyTorch is that of this environment."""
    speed: str
    """Matches target tokens a second in a line of the log."""

    def __init__(self, folder: Path, device: str = "cpu"):
        self.folder = folder
        self.on_gpu = device == "cuda"
        self.python = folder / "venv" / "bin" / "python"

    @abstractmethod
    def config(self, model: Model, updates: int, beam: int) -> dict[str, Any]:
        """Of a training, and of a translation where it has such."""

    @abstractmethod
    def training(self, config: Path) -> Sequence[str | Path]:
        """The command."""

    @abstractmethod
    def translation(self, config: Path, model: Model, beam: int) -> Sequence[str | Path]:
        """The command, which translates `input.source` or `input.source.pieces` into `output` or `output.pieces`, or
        standard input to standard output."""

    @abstractmethod
    def finish(self) -> None:
        """Prepare what it needs besides, and change what was installed so that it runs."""

    def setup(self, config_path: str, overrides: Sequence[str]) -> dict[str, float]:
        """Raises: UserError: The config or its data cannot be read, or the packages not be installed."""
        data = load_config(config_path, list(overrides)).data
        if data.test is None:
            raise UserError(f"{config_path}: data.test names no test set; give data.test.source and data.test.target")
        self.folder.mkdir(parents=True, exist_ok=True)
        for split, place in {"train": data.train, "validation": data.validation, "test": data.test}.items():
            corpus = read_corpus(place, data, split)
            for side, lines in (("source", corpus.source), ("target", corpus.target)):
                write_atomically(self.folder / f"{split}.{side}", "\n".join([*lines, ""]))
        sentencepiece.SentencePieceTrainer.train(
            input=[str(self.folder / f"train.{side}") for side in ("source", "target")],
            model_prefix=str(self.folder / "joint"),
            model_type="unigram",
            vocab_size=VOCABULARY_SIZE,
            hard_vocab_limit=False,
            character_coverage=1.0,
            vocabulary_output_piece_score=False,
            minloglevel=2,
            unk_id=0,
            pad_id=1,
            bos_id=2,
            eos_id=3,
        )
        for path in [self.folder / f"{split}.{side}" for split in ("train", "validation", "test") for side in _SIDES]:
            self._cut(path)
        if not self.python.exists():
            venv.create(self.folder / "venv", with_pip=True, symlinks=True)
        torch = f"torch=={version('torch').partition('+')[0]}"
        self._call([self.python, "-m", "pip", "install", "--quiet", torch, *self.packages], "setup.log")
        self.finish()
        return {"vocabulary": self.pieces.get_piece_size()}

    def train(self, model: Model, updates: int, threads: int) -> dict[str, float]:
        """The speed is the median of those in its log, without the first.

        Raises:
            UserError: It fails, or has too few updates to tell.
        """
        log = self._call(self.training(self._configure(model, updates, beam=5)), f"{model.name}.train.log", threads)
        speeds = [float(found) for found in re.findall(self.speed, log.read_text(encoding="utf-8"))][1:]
        if not speeds:
            raise UserError(f"{log}: tells no speed after the first ten updates; give --updates 20 or more")
        return {TRAINING_KEY: statistics.median(speeds), PEAK: _peak()}

    def translate(self, model: Model, beam: int, threads: int) -> dict[str, float]:
        """The whole test set with what `train` left; the time that one sentence takes is taken off.

        That is the second time: the first reads files that the system's cache may not hold.

        Raises:
            UserError: It fails, or takes no longer for the test set than for a sentence.
        """
        config = self._configure(model, updates=100, beam=beam)
        sources = (self.folder / "test.source").read_text(encoding="utf-8").splitlines()
        command = self.translation(config, model, beam)
        seconds: list[float] = []
        for lines in (sources[:1], sources[:1], sources):
            given = self.folder / "input.source"
            write_atomically(given, "\n".join([*lines, ""]))
            self._cut(given)
            (self.folder / "output.pieces").unlink(missing_ok=True)
            started = time.perf_counter()
            self._call(command, f"{model.name}.translate.log", threads, given, self.folder / "output")
            seconds.append(time.perf_counter() - started)
        output = self.folder / "output.pieces"
        if not output.exists():
            self._cut(self.folder / "output")
        num_pieces = sum(len(line.split()) + 1 for line in output.read_text(encoding="utf-8").splitlines())
        taken = seconds[2] - seconds[1]
        if taken <= 0:
            raise UserError(
                f"{self.name}: {seconds[2]:.1f} s for the test set, {seconds[1]:.1f} s for a sentence: try again"
            )
        return {TRANSLATION_KEY: len(sources) / taken, PIECES_KEY: num_pieces / taken, PEAK: _peak()}

    @property
    def pieces(self) -> sentencepiece.SentencePieceProcessor:
        return sentencepiece.SentencePieceProcessor(model_file=str(self.folder / "joint.model"))

    def _cut(self, path: Path) -> None:
        """Write a text's pieces beside it."""
        lines = self.pieces.encode(path.read_text(encoding="utf-8").splitlines(), out_type=str)
        write_atomically(Path(f"{path}.pieces"), "".join(" ".join(pieces) + "\n" for pieces in lines))

    def _configure(self, model: Model, updates: int, beam: int) -> Path:
        path = self.folder / f"{model.name}.yaml"
        if not self.python.exists():
            raise UserError(f"{self.folder}: first: python scripts/peer.py {self.name} setup {self.folder}")
        write_atomically(path, yaml.safe_dump(self.config(model, updates, beam), sort_keys=False))
        return path

    def _call(
        self,
        command: Sequence[str | Path],
        log_name: str,
        threads: int | None = None,
        given: Path | None = None,
        output: Path | None = None,
    ) -> Path:
        """Returns the log. Raises: UserError: It ends with another status than 0."""
        log = self.folder / log_name
        environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
        environment.pop("PYTHONPATH", None)  # it has packages of its own
        with (
            log.open("w", encoding="utf-8") as messages,
            (given or Path(os.devnull)).open(encoding="utf-8") as text,
            (output or Path(os.devnull)).open("w", encoding="utf-8") as results,
        ):
            process = subprocess.run(
                command,
                stdin=text,
                stdout=messages if output is None else results,
                stderr=messages,
                env=environment,
                cwd=self.folder,
            )
        if process.returncode != 0:
            raise UserError(f"{self.name} ended with status {process.returncode}; {log} has its messages")
        return log


_SIDES = ("source", "target")


def _peak() -> float:
    """The largest resident memory of a process that this one has called, in MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
