"""The mean of several models' weights: often better than each of them, at no cost in translating."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from seq2seq.config_file import load_config
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.files import write_atomically, written_whole
from seq2seq.sharing.model_files import read_weights
from seq2seq.sharing.model_folder import (
    CONFIG,
    DATA,
    LEXICON,
    METRICS,
    TOKENIZERS,
    WEIGHTS,
    read_folder_config,
    require_self_contained,
)
from seq2seq.tensor_files import pack_tensors
from seq2seq.training.checkpoint import saved_steps
from seq2seq.training.curves import read_metrics
from seq2seq.training.fine_tuning import model_differences
from seq2seq.training.state import Scores


def average_runs(runs: Sequence[Path], output: Path, best: int | None = None, last: int | None = None) -> list[Path]:
    """Make a run folder whose model is the mean of the runs' models, or of the best or the last so many of each.

    The mean of several runs is a model only where they have gone on from the same one (model soups, Wortsman et al.
    2022, arXiv:2203.05482, section 2). All else in the folder is the first run's.

    Returns:
        The files of weights that were averaged.

    Raises:
        ConfigError: There are not as many, they do not fit each other, or the new folder is there already.
    """
    if output.exists():
        raise ConfigError(f"{output}: exists; name another folder")
    files: list[Path] = []
    for run in runs:
        if not (run / CONFIG).is_file():
            raise ConfigError(f"{run}: not a run folder: it has no {CONFIG}, which `seq2seq train` leaves there")
        require_self_contained(run, (CONFIG, DATA, LEXICON, METRICS, WEIGHTS, *TOKENIZERS))
        if best is not None:
            found = best_weights(run, best)
        else:
            found = {0: run / WEIGHTS} if last is None else last_weights(run, last)
        require_self_contained(run, [str(path.relative_to(run)) for path in found.values()])
        files += [found[step] for step in sorted(found)]
    for other in runs[1:]:
        _require_alike(runs[0], other)
    weights = average_weights(files)
    try:
        with written_whole(output) as new:
            (new / "tokenizer").mkdir()
            for name in (CONFIG, DATA, LEXICON, *TOKENIZERS):
                if (runs[0] / name).exists():
                    shutil.copy(runs[0] / name, new / name)
            write_atomically(new / WEIGHTS, pack_tensors(weights))
    except OSError as error:
        raise ConfigError(f"{output}: cannot write the folder: {error.strerror or error}") from error
    return files


def _require_alike(first: Path, other: Path) -> None:
    configs = (read_folder_config(run, from_hub=False) for run in (first, other))
    if refused := model_differences(*configs):
        raise ConfigError(f"{other}: not a model like that of {first}: they differ in {', '.join(refused)}")
    if Tokenizer.load(first / "tokenizer").fingerprint != Tokenizer.load(other / "tokenizer").fingerprint:
        raise ConfigError(
            f"{other}: its vocabulary is not that of {first}: models have a mean where they started from the same one"
        )


def best_weights(run: Path, number: int) -> dict[int, Path]:
    """By the metric that the run stops by; which validations were better, metrics.jsonl knows."""
    names = {path: path.stem.removeprefix("step_") for path in (run / "best").glob("step_*.safetensors")}
    files = {int(number): path for path, number in names.items() if number.isdecimal()}
    _require(run, len(files), number, "best weights", "training.keep_best")
    if not (run / METRICS).exists():
        raise ConfigError(f"{run}: has no {METRICS}, which tells the best weights")
    metric = load_config(run / CONFIG).training.early_stopping_metric
    scores = {
        record["step"]: Scores(*(float(record[name]) for name in ("bleu", "chrf", "loss")))
        for record in read_metrics(run / METRICS)["validation"]
    }
    for step in files:
        if step not in scores:
            raise ConfigError(f"{run / METRICS}: has no validation of step {step}, whose weights are in {files[step]}")
    ranked = sorted(files, key=lambda step: scores[step].rank(metric), reverse=True)
    return {step: files[step] for step in ranked[:number]}


def last_weights(run: Path, number: int) -> dict[int, Path]:
    folders = saved_steps(run / "checkpoints")
    _require(run, len(folders), number, "last checkpoints", "training.keep_checkpoints")
    return {step: run / "checkpoints" / f"step_{step}" / WEIGHTS for step in sorted(folders)[-number:]}


def average_weights(files: Sequence[Path]) -> dict[str, torch.Tensor]:
    """Summed in float64, and given back in the weights' own format.

    Raises:
        ConfigError: A file is damaged or of another model.
    """
    total: dict[str, torch.Tensor] = {}
    dtypes: dict[str, torch.dtype] = {}
    for path in files:
        weights = read_weights(path)
        if total and {n: w.shape for n, w in weights.items()} != {n: w.shape for n, w in total.items()}:
            raise ConfigError(f"{path}: not of the same model as {files[0]}")
        for name, weight in weights.items():
            total[name] = total.get(name, 0.0) + weight.double()
            dtypes[name] = weight.dtype
    return {name: (weight / len(files)).to(dtypes[name]) for name, weight in total.items()}


def _require(run: Path, found: int, wanted: int, what: str, setting: str) -> None:
    if found < wanted:
        raise ConfigError(f"{run}: has {found} of the {wanted} {what} asked for; {setting} says how many a run keeps")
