"""How long a command takes as a whole process, beside the one import that none can do without."""

import sys
from pathlib import Path

from benchmark.contest import Contest, Contestant, hold
from seq2seq.errors import ConfigError

KEY = "seconds"
IMPORT = 'python -c "import torch"'
SENTENCE = 'seq2seq translate RUN "one sentence"'
TIMED = """
import json, subprocess, sys, time
started = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(json.dumps({"seconds": time.perf_counter() - started}))
"""


def measure_start(results: Path, run: Path, sentence: str, rounds: int, threads: int) -> Contest:
    """Raises: ConfigError: There is no run. UserError: A command fails."""
    if not (run / "config.yaml").exists():
        raise ConfigError(f"{run}: no run folder: it has no config.yaml")
    python = sys.executable

    def timed(name: str, *command: str) -> Contestant:
        return Contestant(name, [python, "-c", TIMED, *command], KEY)

    return hold(
        results / "start.json",
        KEY,
        [timed(SENTENCE, python, "-m", "seq2seq.cli", "translate", str(run), "--", sentence)],
        [timed(IMPORT, python, "-c", "import torch")],
        rounds,
        threads,
        [],
    )
