"""Translate with a trained model: the same as `seq2seq translate`."""

import sys

from seq2seq.cli import main

if __name__ == "__main__":
    sys.exit(main(["translate", *sys.argv[1:]]))
