"""Runs commands in a child process that starts at once, for tests that kill it or train in several."""

import os
import sys
from pathlib import Path

from seq2seq.cli import main

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "shutil.rmtree"}
"""Audit events of what a training does to its run folder; `open` also when it only reads."""


def run(
    arguments: list[str],
    errors: Path,
    environment: dict[str, str] | None = None,
    watched: Path | None = None,
    die_at: int | None = None,
) -> None:
    """Exit with the command's status; or die, as of SIGKILL, at the n-th operation on a folder or what lies in it."""
    os.environ |= environment or {}
    count = 0

    def watch(event: str, details: tuple) -> None:
        nonlocal count
        if event in OPERATIONS and str(details[0]).startswith(str(watched)):
            count += 1
            if count == die_at:
                os._exit(9)

    if watched is not None:
        sys.addaudithook(watch)
    with open(errors, "a") as sys.stderr, open(os.devnull, "w") as sys.stdout:
        status = main(arguments)
        if watched is not None:
            print(f"{count} operations", file=sys.stderr)
    sys.exit(status)
