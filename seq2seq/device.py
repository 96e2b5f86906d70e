"""Which device computes, and in which number format."""

import os
import platform
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from seq2seq.errors import ConfigError


def keep_code(by_onednn: int, by_pytorch: int) -> None:
    """Bound the memory of the code that oneDNN makes for each shape of its products, half a megabyte.

    oneDNN keeps it for the last so many shapes, PyTorch besides for so many of each kind of product in each thread;
    both for 1,024 unless told. They read it at the first product; later calls have no effect.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(by_onednn))
    os.environ.setdefault("LRU_CACHE_CAPACITY", str(by_pytorch))


def choose_device(name: str) -> torch.device:
    """`auto` takes a GPU where there is one.

    Raises:
        ConfigError: The device is asked for by name and is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda', but this machine has no CUDA GPU that torch can use; use cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto` takes bfloat16 where the processor multiplies it fast (AVX512-BF16, AMX, or a GPU from Ampere on).

    Raises:
        ConfigError: float16 is asked for on a CPU.
    """
    if name == "float16" and device.type == "cpu":
        raise ConfigError(
            "training.precision is 'float16', which a CPU does not speed up; use auto, bfloat16 or float32"
        )
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        capabilities = torch.cpu.get_capabilities()
        fast = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32


def choose_search_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format of a search's matrix products.

    Raises:
        ConfigError: int8 is asked for where torch has no products of it: on a GPU, or a processor that is not an x86.
    """
    if name == "int8" and not (device.type == "cpu" and onednn_has_int8()):
        raise ConfigError(
            f"search.precision is 'int8', which only x86 processors have here, and the device is "
            f"{device.type if device.type != 'cpu' else platform.machine()}; use bfloat16 or float32"
        )
    return getattr(torch, name)


def is_out_of_memory(error: Exception) -> bool:
    """Torch has a class for it on a GPU only."""
    said = ("allocate memory", "out of memory")  # the latter where CUDA itself finds it
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in said)


def onednn_has_bfloat16() -> bool:
    """Whether oneDNN computes in bfloat16 on this processor; on x86 that takes AVX512."""
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def onednn_linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """inputs W^T + bias, in their own format, without a gradient. The weight may be packed for it."""
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")


def onednn_has_int8() -> bool:
    """Whether torch has oneDNN's products of 8-bit integers, which are for x86 processors."""
    return "onednn" in torch.backends.quantized.supported_engines


def has_vnni() -> bool:
    """Whether this x86 processor adds up products of 8-bit integers in 32 bits; else in 16, two at a time."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_vnni") or capabilities.get("avx_vnni"))


def mixed_precision(device: torch.device, precision: torch.dtype) -> AbstractContextManager:
    """Matrix products in `precision`; parameters, decoder states, softmax and loss stay in float32. Products in int8
    are a matter of layers of their own, see `pack`."""
    return torch.autocast(device.type, precision, enabled=precision in (torch.bfloat16, torch.float16))
