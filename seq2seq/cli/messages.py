"""What the commands say besides their results: on stderr, a line each."""

import sys


def tell(message: object) -> None:
    print(f"seq2seq: {one_line(message)}", file=sys.stderr)


def one_line(text: object) -> str:
    """The text with what would break the line, or steer a terminal, escaped: a file's name may hold anything."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))
