"""Score a trained model: the same as `seq2seq evaluate`."""

import sys

from seq2seq.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
