"""Figures written as files."""

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.errors import UserError
from seq2seq.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")

if logging.getLogger("matplotlib").level == logging.NOTSET:
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where no home can be written it warns at length


def require_picture_name(path: str | Path) -> None:
    """Check that a name ends as a picture's does.

    Raises:
        UserError: It ends otherwise.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: a picture's name ends with {' or '.join(SUFFIXES)}")


def write_picture(figure: "Figure", path: str | Path) -> None:
    """Write `figure` as PNG or SVG, by the suffix of `path`; the file appears whole or not at all."""
    require_picture_name(path)
    content = io.BytesIO()
    figure.savefig(content, format=Path(path).suffix[1:].lower())
    write_atomically(path, content.getvalue())
