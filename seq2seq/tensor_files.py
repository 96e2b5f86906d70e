"""Safetensors files that tell when a single bit of them is wrong."""

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from seq2seq.errors import ConfigError


def pack_tensors(tensors: dict[str, Tensor]) -> bytes:
    """A safetensors file whose metadata tell the SHA-256 of all else."""
    return save(tensors, {"sha256": _fingerprint(save(tensors))})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of such a file, or of one by another tool, which may tell no checksum.

    Raises:
        FileNotFoundError: It is missing.
        ConfigError: It is damaged, or other than it was written.
    """
    try:
        content = path.read_bytes()
        tensors = load(content)
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{path}: damaged, or not a safetensors file; put a good copy there ({error})") from error
    metadata = _header(content).get("__metadata__", {})
    # the checksum's name may be what is damaged: so all that is as long as one is taken for one
    checksums = [value for name, value in metadata.items() if name == "sha256" or len(value) == 64]
    if any(checksum != _fingerprint(content) for checksum in checksums):
        raise ConfigError(
            f"{path}: damaged: its numbers are not those that were written, by their SHA-256; put a good copy there"
        )
    return tensors


def _header(content: bytes) -> dict[str, Any]:
    """What a safetensors file begins with: the names, shapes and places of the numbers."""
    return json.loads(content[8 : _header_end(content)])


def _header_end(content: bytes) -> int:
    return 8 + int.from_bytes(content[:8], "little")


def _fingerprint(content: bytes) -> str:
    """SHA-256 of names, shapes, places and numbers."""
    tensors = {name: tensor for name, tensor in _header(content).items() if name != "__metadata__"}
    digest = hashlib.sha256(json.dumps(tensors, sort_keys=True).encode())
    digest.update(memoryview(content)[_header_end(content) :])
    return digest.hexdigest()
