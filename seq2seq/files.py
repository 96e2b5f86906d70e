"""Writing files so that a kill or a full disk never leaves half of one."""

import os
from pathlib import Path

from seq2seq.errors import UserError


def require_writable(path: str | Path) -> None:
    """Check, before long work, that its result can be written there.

    Raises:
        UserError: The path is a folder, lies in none, or may not be written.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{path}: the folder {path.parent} may not be written")


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Write beside the file, flush to the disk, then rename over it: a reader sees the old content or the new."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
