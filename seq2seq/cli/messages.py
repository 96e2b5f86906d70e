"""What the commands say besides their results: on stderr, a line each."""

import sys


def tell(message: object) -> None:
    print(f"seq2seq: {one_line(message)}", file=sys.stderr)


LONGEST = 2000
"""Characters of a message; of a longer one the middle is left out."""


def one_line(message: object) -> str:
    """A message with what would break the line, or steer a terminal, escaped: a file's name may hold anything."""
    text = str(message)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
