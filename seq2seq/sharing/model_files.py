"""A model read from its folder, strictly: the weights, the tokenizer and the settings must fit each other."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

from seq2seq.config import Config
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.files import write_atomically
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.sharing.model_folder import (
    CONFIG,
    DATA,
    TOKENIZERS,
    WEIGHTS,
    find_folder,
    pickle_hint,
    read_counts,
    read_folder_config,
    require_imported,
)
from seq2seq.tensor_files import pack_tensors, read_tensors

FACTORIES = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn)
"""What layers make their parameters with."""
FILLS = (Tensor.uniform_, Tensor.normal_, init.uniform_, init.normal_, init.kaiming_uniform_)
"""What they fill them with at random."""


class ModelFiles(NamedTuple):
    """What a model folder holds."""

    model: Seq2Seq
    tokenizer: Tokenizer
    config: Config
    folder: Path


def read_model(name: str | Path) -> ModelFiles:
    """Read a run folder, an exported folder, or a model on the hub (`owner/name`, `owner/name@revision`).

    A folder of that name is taken rather than a model on the hub. Classes that a config names by import path must have
    been imported before; and of the paths in a config from the hub only the files' names are kept.

    Raises:
        ConfigError, DataError: There is no such model, or a file of it is missing, damaged, or does not fit the others.
    """
    folder, from_hub = find_folder(name)
    config = read_folder_config(folder, from_hub)
    require_imported(name, config)
    tokenizer = _read_tokenizer(folder, config.tokenizer.joint)
    learned_with = (read_counts(folder) or {}).get("tokenizer")
    if isinstance(learned_with, dict) and learned_with.get("sha256") != tokenizer.fingerprint:
        raise ConfigError(
            f"{folder / 'tokenizer'}: not the one that the model learned with, by the SHA-256 in {DATA}: put that back"
        )
    with _Unfilled(folder / WEIGHTS) as limit:
        limit.take(config.model.encoder.num_layers + config.model.decoder.num_layers)  # one number each, at the least
        model = Seq2Seq(config.model, tokenizer.source_size, tokenizer.target_size)
    load_weights(model, folder / WEIGHTS)
    return ModelFiles(model, tokenizer, config, folder)


def save_weights(model: Seq2Seq, path: Path) -> None:
    write_atomically(path, pack_tensors({name: weight.contiguous() for name, weight in named_weights(model).items()}))


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of weights.

    Raises:
        ConfigError: The file is missing, damaged, or other than it was written.
    """
    try:
        return read_tensors(path)
    except FileNotFoundError as error:
        raise _no_weights(path) from error


def load_weights(model: Seq2Seq, path: Path) -> None:
    """Fill a model from a safetensors file, strictly: the same names, shapes and dtypes, no more and no less.

    Raises:
        ConfigError: The file is missing, damaged, made for another model, or holds what is no number.
    """
    weights = read_weights(path)
    expected = named_weights(model)
    wrong = [f"it lacks {name}" for name in expected if name not in weights]
    wrong += [f"it has {name} besides" for name in weights if name not in expected]
    wrong = wrong or [
        f"{name} is {_describe(weights[name])} and should be {_describe(weight)}"
        for name, weight in expected.items()
        if _describe(weights[name]) != _describe(weight)
    ]
    if wrong:
        raise ConfigError(f"{path}: does not fit the run's config and tokenizer: {', '.join(wrong[:3])}")
    # a sum that cannot overflow tells the same as each number, in a third of the time
    if broken := [name for name, weight in weights.items() if not weight.sum(dtype=torch.float64).isfinite()]:
        raise ConfigError(f"{path}: {broken[0]} holds NaN or infinity: take weights from before that happened")
    with torch.no_grad():
        for name, weight in expected.items():
            weight.copy_(weights[name])


def named_weights(model: Seq2Seq) -> dict[str, Tensor]:
    """What a file of weights holds: each parameter once, a tied one under its first name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


class _Unfilled(TorchFunctionMode):
    """Within it a model is built whose parameters hold anything, since its weights are yet to come.

    And none that is far larger than their file: a small file from a stranger could otherwise ask for all the memory
    there is. That the two fit exactly is found out when the weights are loaded.

    The meta device would do this too, but takes a second to import.
    """

    def __init__(self, path: Path):
        super().__init__()
        self._path = path
        self._held = _num_elements(path)
        self._left = 2 * self._held  # a class of the user's own may make something besides its parameters

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in FACTORIES:
            first = args[0] if args and isinstance(args[0], tuple | list) else args
            self.take(math.prod(kwargs.get("size", first)))
        if func in FILLS and kwargs.get("generator") is None:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)

    def take(self, count: int) -> None:
        """Count numbers that the model is to have.

        Raises:
            ConfigError: They are too many.
        """
        self._left -= count
        if self._left < 0:
            raise ConfigError(
                f"{self._path}: does not fit the run's config and tokenizer: it holds {self._held:,} numbers, "
                "and they ask for a model of more than twice as many"
            )


def _num_elements(path: Path) -> int:
    """Of all tensors together, by the file's header."""
    try:
        with safe_open(path, framework="pt") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 (no dict)
    except FileNotFoundError as error:
        raise _no_weights(path) from error
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{path}: damaged, or not a safetensors file; put a good copy there ({error})") from error


def _no_weights(path: Path) -> ConfigError:
    pickles = pickle_hint(path.parent.glob("*"))
    return ConfigError(f"{path}: no weights yet; they appear after the run's first validation{pickles}")


def _describe(weight: Tensor) -> str:
    return f"{tuple(weight.shape)} {str(weight.dtype).removeprefix('torch.')}"


def _read_tokenizer(folder: Path, joint: bool) -> Tokenizer:
    for name in TOKENIZERS[1:] if joint else TOKENIZERS[:1]:
        if (folder / name).exists():
            raise ConfigError(f"{folder / name}: does not fit {CONFIG}, where tokenizer.joint is {str(joint).lower()}")
    return Tokenizer.load(folder / "tokenizer")
