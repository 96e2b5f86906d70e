"""Sequence-to-sequence translation with pluggable attention."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq.inference.translation import Translation
    from seq2seq.inference.translator import Translator

__version__ = version("seq2seq-attention")
__all__ = ["Translation", "Translator", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the translator, and with it torch, when it is first asked for: `seq2seq --help` needs neither."""
    if name in ("Translation", "Translator"):
        from seq2seq.inference import translator

        return getattr(translator, name)
    raise AttributeError(f"module 'seq2seq' has no attribute {name!r}")
