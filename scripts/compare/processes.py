"""Training, each setting in a process of its own by `seq2seq train`."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tqdm import tqdm

from compare.comparison import Candidate
from measuring.environment import Environment, environment
from seq2seq.config import Section
from seq2seq.files import write_atomically
from seq2seq.training.curves import read_metrics

TAIL = 8
"""Lines shown of the log of a training that failed."""


class Finished(Section):
    """Written when a setting's training has come to its end."""

    digest: str
    threads: int
    environment: Environment


def read_finished(candidate: Candidate) -> Finished | None:
    """How the setting was trained, if it was, to the end, as it is set now."""
    path = candidate.folder / "finished.json"
    if not path.exists():
        return None
    finished = Finished.model_validate_json(path.read_bytes())
    return finished if finished.digest == candidate.digest else None


def train_all(candidates: list[Candidate], base: str, jobs: int, threads: int) -> list[str]:
    """Train what is not finished, `jobs` at a time, going on where an earlier session was interrupted.

    Returns:
        The names of those that failed; why has been written to stderr.
    """
    waiting = [candidate for candidate in candidates if read_finished(candidate) is None]
    for name in (candidate.name for candidate in candidates if candidate not in waiting):
        print(f"{name}: already trained", file=sys.stderr)
    running: dict[str, tuple[Candidate, subprocess.Popen[bytes], float]] = {}
    failed: list[str] = []
    with tqdm(total=len(waiting), desc="settings trained", disable=None) as bar:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    candidate = waiting.pop(0)
                    running[candidate.name] = candidate, _start(candidate, base, threads), time.monotonic()
                time.sleep(0.2)
                for name, (candidate, process, started) in list(running.items()):
                    if process.poll() is None:
                        continue
                    del running[name]
                    minutes = (time.monotonic() - started) / 60
                    if process.returncode == 0:
                        finished = Finished(digest=candidate.digest, threads=threads, environment=environment())
                        write_atomically(candidate.folder / "finished.json", finished.model_dump_json(indent=2) + "\n")
                        _say(f"{name}: trained, {minutes:.1f} minutes")
                    else:
                        failed.append(name)
                        _say(f"{name}: training failed with exit status {process.returncode}\n{_tail(candidate)}")
                    bar.update()
                bar.set_postfix_str(", ".join(f"{name} at step {_step(c.run)}" for name, (c, _, _) in running.items()))
        finally:  # interrupted: none is left behind
            for _, process, _ in running.values():
                process.terminate()
            for _, process, _ in running.values():
                process.wait()
    return failed


def _start(candidate: Candidate, base: str, threads: int) -> "subprocess.Popen[bytes]":
    can_continue = (candidate.run / "checkpoints" / "latest").exists()
    candidate.folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "seq2seq.cli", "train", base, *candidate.overrides, "--run", str(candidate.run)]
    number = str(threads)
    _say(f"{candidate.name}: training {'goes on' if can_continue else 'starts'}")
    with open(candidate.folder / "process.log", "wb") as log:
        return subprocess.Popen(
            [*command, "--resume"] if can_continue else command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": number, "MKL_NUM_THREADS": number},
        )


def _step(run: Path) -> int:
    metrics = read_metrics(run / "metrics.jsonl") if (run / "metrics.jsonl").exists() else {}
    return max((record["step"] for records in metrics.values() for record in records), default=0)


def _tail(candidate: Candidate) -> str:
    path = candidate.folder / "process.log"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
    return "\n".join([*(f"    {line}" for line in lines), f"    (from {path}; see {candidate.run / 'train.log'} too)"])


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)
