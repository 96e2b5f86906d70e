"""Train with a kill every so often, and without one: are the two the same, bit for bit?

    python scripts/kill_training.py configs/demo.yaml training.max_steps=40000 --every 60 --output runs/kills

The unbroken training comes first; how long it takes is up to the config. Each session of the other is killed (SIGKILL)
at a random instant around so many seconds after its start, and resumed until one reaches the end. It only gets on if a
session reaches a checkpoint: set training.checkpoint_every well below the steps that it has time for.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from seq2seq.config_file import load_config

ROOT = Path(__file__).resolve().parent.parent


def command(options: argparse.Namespace, run: Path) -> list[str]:
    arguments = [str(options.config), *options.overrides, "--run", str(run), *(["--resume"] if run.exists() else [])]
    return [sys.executable, "-m", "seq2seq.cli", "train", *arguments]


def step_of(run: Path) -> int:
    """Of the last checkpoint."""
    latest = run / "checkpoints" / "latest"
    return int(latest.readlink().name.removeprefix("step_")) if latest.is_symlink() else 0


def train_with_kills(options: argparse.Namespace, run: Path) -> int:
    """Returns the number of kills."""
    generator, kills = random.Random(options.seed), 0
    while True:
        process = subprocess.Popen(command(options, run))
        try:
            status = process.wait(timeout=options.every * generator.uniform(0.5, 1.5))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            print(f"kill {kills}, after checkpoint {step_of(run)}", file=sys.stderr)
            continue
        if status:
            sys.exit(f"a session ended with status {status}")
        return kills


def records(run: Path) -> list[dict[str, Any]]:
    """What metrics.jsonl says, less what depends on the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if "second" not in key} for line in lines]


def progress(run: Path) -> dict[str, Any]:
    content = json.loads((run / "checkpoints" / "latest" / "progress.json").read_text())
    return {key: value for key, value in content.items() if "second" not in key}


def same(one: Any, other: Any) -> bool:
    """Tensors bit for bit, within whatever holds them."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def differences(one: Path, other: Path) -> list[str]:
    """Of what two runs left, the parts that are not the same."""
    parts = {"metrics.jsonl": records, "progress.json": progress}
    found = [name for name, read in parts.items() if read(one) != read(other)]
    for name in ("model.safetensors", "checkpoints/latest/model.safetensors"):
        if not same(load_file(one / name), load_file(other / name)):
            found.append(name)
    states = [torch.load(run / "checkpoints" / "latest" / "optimizer.pt", weights_only=True) for run in (one, other)]
    if not same(*states):
        found.append("optimizer.pt")
    return found


def main(arguments: list[str] | None = None) -> int:
    description, _, epilog = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", metavar="CONFIG", type=Path, help="YAML file of settings")
    parser.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="settings that replace those of the file")
    parser.add_argument("--every", metavar="SECONDS", type=float, default=60.0, help="between kills (%(default)s)")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="a folder to make, for both runs")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="of the instants (default: %(default)s)")
    options = parser.parse_args(arguments)
    os.environ["PYTHONPATH"] = str(ROOT)
    load_config(options.config, options.overrides)
    options.output.mkdir(parents=True)
    whole, broken = (options.output / name / "run" for name in ("whole", "broken"))  # each with a corpus of its own
    began = time.monotonic()
    subprocess.run(command(options, whole), check=True)
    unbroken = time.monotonic()
    kills = train_with_kills(options, broken)
    ended = time.monotonic()
    found = differences(whole, broken)
    print(f"unbroken: {unbroken - began:.0f} s; with {kills} kills: {ended - unbroken:.0f} s; {step_of(whole)} steps")
    print(f"not the same: {', '.join(found)}" if found else "the same, bit for bit")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
