"""Train on a corpus of any size and record the memory that it takes: does it grow with the corpus?

The corpus is made of pairs of data/en-fr, two joined to one and drawn at random, and lies in a temporary folder. Memory
is that of the training and the processes that it starts, as Linux counts it: anonymous memory, and pages of mapped
files, which the system takes back when it needs them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from measuring.curves import draw_memory

ROOT = Path(__file__).resolve().parent.parent
MIB = 1024
"""Kibibytes, in which Linux counts."""


class Sample(NamedTuple):
    seconds: float
    anonymous: float
    """In MiB, as is the next."""
    mapped: float
    processes: int


def write_corpus(folder: Path, num_pairs: int) -> dict[str, Path]:
    """The paths of its two sides, by language."""
    lines = {side: (ROOT / "data" / "en-fr" / f"train.{side}").read_text("utf-8").splitlines() for side in ("en", "fr")}
    generator, paths = np.random.default_rng(1), {side: folder / f"train.{side}" for side in lines}
    with paths["en"].open("w", encoding="utf-8") as source, paths["fr"].open("w", encoding="utf-8") as target:
        for _ in tqdm(range(0, num_pairs, 1000), "writing the corpus", disable=None):
            for i, j in generator.integers(len(lines["en"]), size=(min(1000, num_pairs), 2)):
                source.write(f"{lines['en'][i]} {lines['en'][j]}\n")
                target.write(f"{lines['fr'][i]} {lines['fr'][j]}\n")
    return paths


def family(pid: int) -> list[int]:
    """A process and those that it has started."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found = [pid]
    for one in found:
        found.extend(children.get(one, []))
    return found


def sample(pid: int, started: float) -> Sample:
    """Memory that processes share is counted once."""
    anonymous = mapped = 0
    processes = family(pid)
    for one in processes:
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
        anonymous += sizes["Pss_Anon"]
        mapped += sizes["Pss_File"] + sizes["Pss_Shmem"]
    return Sample(time.monotonic() - started, anonymous / MIB, mapped / MIB, len(processes))


def train(paths: dict[str, Path], run: Path, overrides: list[str]) -> list[Sample]:
    command = [
        sys.executable, "-m", "seq2seq.cli", "train", "configs/demo.yaml", "--run", str(run),
        f"data.train.source={paths['en']}", f"data.train.target={paths['fr']}", *overrides,
    ]  # fmt: skip
    started, samples = time.monotonic(), []
    with subprocess.Popen(command, cwd=ROOT) as process:
        while process.poll() is None:
            samples.append(sample(process.pid, started))
            time.sleep(0.5)
    if process.returncode:
        sys.exit(process.returncode)
    return [one for one in samples if one.anonymous > 0]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Train configs/demo.yaml on a large generated corpus and record memory.",
        epilog="example: python scripts/measure_memory.py --pairs 5000000 --output runs/memory training.max_steps=600",
    )
    parser.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="settings that replace those of the config")
    parser.add_argument(
        "--pairs", type=int, default=5_000_000, help="sentence pairs to train on (default: %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="the folder for memory.csv, memory.png and train.log"
    )
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.output) as folder:
        paths = write_corpus(Path(folder), options.pairs)
        size = sum(path.stat().st_size for path in paths.values())
        samples = train(paths, Path(folder) / "run", options.overrides)
        log = (Path(folder) / "run" / "train.log").read_text(encoding="utf-8")
    (options.output / "train.log").write_text(log, encoding="utf-8")
    rows = [",".join(Sample._fields), *(",".join(f"{value:.1f}" for value in one) for one in samples)]
    (options.output / "memory.csv").write_text("\n".join(rows) + "\n")
    seconds = [one.seconds for one in samples]
    curves = {
        "anonymous memory": (seconds, [one.anonymous for one in samples]),
        "pages of mapped files": (seconds, [one.mapped for one in samples]),
    }
    draw_memory(curves, f"{options.pairs:,} pairs, {size / 2**20:,.0f} MiB of text", options.output / "memory.png")
    peak = max(samples, key=lambda one: one.anonymous)
    print(f"{options.pairs} pairs, {size / 2**20:.0f} MiB of text, {samples[-1].seconds:.0f} seconds")
    print(f"peak of anonymous memory: {peak.anonymous:.0f} MiB, after {peak.seconds:.0f} seconds")
    return 0


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(ROOT)
    sys.exit(main())
