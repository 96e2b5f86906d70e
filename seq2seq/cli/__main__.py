"""``python -m seq2seq.cli``: the same as ``seq2seq``, for launchers that start a module."""

import sys

from seq2seq.cli import main

if __name__ == "__main__":
    sys.exit(main())
