"""Importing PyTorch, which is most of what a short command does."""

import gc
import sys


def import_torch() -> None:
    """What it makes stays: to look through that for garbage, again and again, would take a seventh of the time."""
    if "torch" not in sys.modules:
        gc.disable()
        import torch  # noqa: F401

        gc.freeze()
        gc.enable()
