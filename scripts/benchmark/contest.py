"""Commands that take turns, each in a process of its own, whose last line of output tells what it measured."""

import json
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tqdm import tqdm

from measuring.environment import Environment, environment
from measuring.ratios import median_ratio
from seq2seq.config import Section
from seq2seq.errors import UserError
from seq2seq.files import write_atomically

SCRIPTS = Path(__file__).resolve().parents[1]
PEAK = "peak_mb"
"""The key of the largest resident memory of a process, in MiB."""


class Contestant(NamedTuple):
    name: str
    command: list[str]
    key: str
    """Of the number in its JSON that counts."""
    environment: Mapping[str, str] = MappingProxyType({})
    """Variables that it gets besides."""


class Contest(Section):
    """What a JSON file of a contest holds."""

    environment: Environment
    threads: int
    overrides: list[str]
    """Settings of the config that were replaced, for ours."""
    ours: list[str]
    """Names; the others are peers."""
    key: str
    """Of the figure that counts."""
    measured: dict[str, list[dict[str, float]]]
    """Of each contestant, the figures of each round by key."""

    @property
    def peers(self) -> list[str]:
        return [name for name in self.measured if name not in self.ours]

    @property
    def rounds(self) -> int:
        return min(len(rounds) for rounds in self.measured.values())

    @property
    def spread(self) -> float:
        """A contestant's fastest round over its slowest, at most."""
        speeds = [[figures[self.key] for figures in rounds] for rounds in self.measured.values()]
        return max(max(values) / min(values) for values in speeds)

    def median(self, name: str, key: str) -> float | None:
        """None where it does not tell it."""
        values = self._values(name, key)
        return None if values is None else statistics.median(values)

    def ratio(self, name: str, reference: str, key: str) -> float | None:
        """None where one does not tell it."""
        values, others = self._values(name, key), self._values(reference, key)
        return None if values is None or others is None else median_ratio(values, others)

    def _values(self, name: str, key: str) -> list[float] | None:
        rounds = self.measured[name]
        return [figures[key] for figures in rounds] if all(key in figures for figures in rounds) else None


def hold(
    path: Path,
    key: str,
    ours: Sequence[Contestant],
    peers: Sequence[Contestant],
    rounds: int,
    threads: int,
    overrides: list[str],
) -> Contest:
    """Let all take turns and write what they gave; after each round, so that an interruption loses one.

    Every second round goes in the reverse order.

    Raises:
        UserError: A command fails, or does not end with the JSON that it should, or two have one name.
    """
    contestants = [*ours, *peers]
    names = [one.name for one in contestants]
    if len(set(names)) < len(names):
        raise UserError(f"contestants need names of their own: {', '.join(names)}")
    measured: dict[str, list[dict[str, float]]] = {one.name: [] for one in contestants}
    path.parent.mkdir(parents=True, exist_ok=True)
    contest = Contest(
        environment=environment(),
        threads=threads,
        overrides=overrides,
        ours=[one.name for one in ours],
        key=key,
        measured=measured,
    )
    with tqdm(total=rounds * len(contestants), desc=path.stem, disable=None) as bar:
        for number in range(rounds):
            for one in contestants if number % 2 == 0 else reversed(contestants):
                bar.set_postfix_str(one.name)
                figures = run(one, threads)
                contest.measured[one.name].append(figures | {key: figures[one.key]})
                bar.update()
            write_atomically(path, contest.model_dump_json(indent=2) + "\n")
    return contest


def run(contestant: Contestant, threads: int) -> dict[str, float]:
    """The numbers in the JSON that is the last line its command prints.

    Raises:
        UserError: The command fails, or does not end so.
    """
    number = str(threads)
    try:
        process = subprocess.run(
            contestant.command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": number, "MKL_NUM_THREADS": number} | dict(contestant.environment),
        )
    except OSError as error:
        raise UserError(f"{contestant.name}: cannot run {contestant.command[0]}: {error.strerror}") from error
    if process.returncode != 0:
        last = (process.stderr.strip() or process.stdout.strip() or "no output").splitlines()[-1]
        raise UserError(f"{contestant.name}: the command ended with status {process.returncode}: {last}")
    last = process.stdout.strip().splitlines()[-1:]
    try:
        numbers = json.loads(last[0]) if last else None
    except ValueError:
        numbers = None
    if not isinstance(numbers, dict):
        raise UserError(f"{contestant.name}: its last line is not a JSON object: {last[0][:100] if last else '(none)'}")
    if not isinstance(numbers.get(contestant.key), int | float):
        raise UserError(f"{contestant.name}: no number {contestant.key} in {last[0][:200]}; see --peer-key")
    return {name: value for name, value in numbers.items() if isinstance(value, int | float)}


def own(name: str, key: str, module: str, *arguments: str) -> Contestant:
    """A module of this package as a command, with the parts of this script and our package as this process has them."""
    path = os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return Contestant(name, [sys.executable, "-m", f"benchmark.{module}", *arguments], key, {"PYTHONPATH": path})


def peer(text: str, key: str, values: Mapping[str, str]) -> Contestant:
    """From NAME=COMMAND, whose placeholders like {threads} are filled in.

    Raises:
        UserError: It has another form.
    """
    name, separator, command = text.partition("=")
    if not separator or not name.strip() or not command.strip():
        raise UserError(f"--peer {text!r}: write it as NAME=COMMAND")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"--peer {text!r}: {error}") from error
    for placeholder, value in values.items():
        words = [word.replace(f"{{{placeholder}}}", value) for word in words]
    return Contestant(name.strip(), words, key)


def peak_memory() -> float:
    """The largest resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # not of what was here before exec, which getrusage counts too
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) / 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
