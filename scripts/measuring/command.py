"""How a script ends: by its exit status, and by one line where a mistake or an interruption is the reason."""

import sys
from collections.abc import Callable
from pathlib import Path

from seq2seq.errors import UserError


def exit_status(name: str, work: Callable[[], int], output: Path, interrupted: str) -> int:
    """What `work` returns; 2 after a mistake of the user's or a file that cannot be used; 130 after Ctrl-C.

    Args:
        name: The script's, before each line.
        output: What it writes to, where an error names no file.
        interrupted: What becomes of the work after Ctrl-C.
    """
    try:
        return work()
    except UserError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{name}: error: {error.filename or output}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted; {interrupted}", file=sys.stderr)
        return 130
