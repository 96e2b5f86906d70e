"""Writing files so that a kill or a full disk never leaves half of one."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from seq2seq.errors import UserError

LEFTOVERS = ".*.tmp"
"""What a kill may leave beside a file or folder that was being written."""


def require_writable(path: str | Path, reads: Iterable[str | Path] = ()) -> None:
    """Check, before long work, that its result can be written there, and takes the place of nothing dear.

    What is written is renamed into its place. That of a device or a link, /dev/null or /dev/stdout, is not to be taken.

    Args:
        reads: The files that are read: none of them may be written over.

    Raises:
        UserError: The path is a folder, a device, a link or one of `reads`, lies in no folder, or may not be written.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        what = "is a link or a device, which the result would replace"
        raise UserError(f"{path}: {what}: name a file, or redirect standard output with >")
    for other in reads:
        if path.exists() and Path(other).exists() and path.samefile(other):
            raise UserError(f"{path}: is read, and would be written over; name another file for what is written")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{path}: the folder {path.parent} may not be written")


def require_unicode_name(path: str | Path) -> None:
    """Check that libraries and logs, which are in UTF-8, can name a folder.

    Raises:
        UserError: They cannot.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{path}: the folder's name is not UTF-8; rename it, or set a locale of UTF-8") from error


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Write beside the file, flush to the disk, then rename over it: a reader sees the old content or the new."""
    with opened_atomically(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def opened_atomically(path: str | Path) -> Iterator[BinaryIO]:
    """Yield a file beside it, to write to bit by bit, which takes its name at the end if nothing has failed."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Yield a new folder to fill, which then takes the name of `folder` at once: nobody sees it half-filled."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    remove(temporary)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        sync_folder(temporary)
        if folder.exists():
            remove(folder)
        os.rename(temporary, folder)
        sync_folder(folder.parent)
    finally:
        remove(temporary)


def sync_folder(folder: Path) -> None:
    """Have the disk know what the folder holds, so that it holds it after a power cut, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, link or folder, if it is there. A folder vanishes from under its name before it is emptied."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        doomed = path if path.match(LEFTOVERS) else path.with_name(f".{path.name}.old.tmp")
        if doomed != path:
            shutil.rmtree(doomed, ignore_errors=True)
            os.rename(path, doomed)
        shutil.rmtree(doomed)
