"""Time another toolkit at the model and on the data of benchmark.py.

    python scripts/peer.py joeynmt setup runs/joeynmt       # an environment of its own, the data, a vocabulary
    python scripts/peer.py joeynmt train runs/joeynmt --updates 600
    python scripts/peer.py joeynmt translate runs/joeynmt --beam 1

The last line printed is the JSON object that `benchmark.py --peer` reads. `translate` takes the model that the last
`train` left.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from measuring.command import exit_status
from peers.eole import Eole
from peers.joeynmt import JoeyNMT
from peers.peer import Model
from seq2seq.cli.arguments import positive

PEERS = {peer.name: peer for peer in (JoeyNMT, Eole)}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS, help="the toolkit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    setup = commands.add_parser("setup", help="install it, and prepare the data and the vocabulary")
    training = commands.add_parser("train", help="target tokens a second")
    translation = commands.add_parser("translate", help="sentences a second of the test set, after a training")
    for command in (setup, training, translation):
        command.add_argument("folder", metavar="DIR", type=lambda text: Path(text).resolve(), help="all of it is there")
    setup.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="replaces settings, such as data.train.source")
    setup.add_argument("--config", metavar="FILE", default="configs/multi30k.yaml", help="names the data (%(default)s)")
    for command in (training, translation):
        command.add_argument("--attention", choices=("bahdanau", "luong"), default="bahdanau", help="(%(default)s)")
        command.add_argument("--cell", choices=("gru", "lstm"), default="gru", help="(%(default)s)")
        command.add_argument("--threads", metavar="N", type=positive, default=2, help="(%(default)s)")
        command.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(%(default)s)")
    training.add_argument("--updates", metavar="N", type=positive, default=60, help="(%(default)s)")
    translation.add_argument("--beam", metavar="K", type=positive, default=5, help="(%(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    peer = PEERS[options.peer](options.folder, getattr(options, "device", "cpu"))

    def work() -> int:
        if options.command == "setup":
            figures = peer.setup(options.config, options.overrides)
        else:
            model = Model(options.attention, options.cell)
            figures = (
                peer.train(model, options.updates, options.threads)
                if options.command == "train"
                else peer.translate(model, options.beam, options.threads)
            )
        print(json.dumps(figures))
        return 0

    return exit_status("peer.py", work, options.folder, "the folder may be used again")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
