"""Translate very many sentences of all scripts and lengths, by the command and by threads: is every line there, are the
translations those of one sentence at a time, and do memory and open files stay as they are?

    seq2seq train configs/demo.yaml model.embedding_size=32 model.encoder.hidden_size=32 model.decoder.hidden_size=64 \\
        training.max_steps=300 --run runs/tiny
    python scripts/soak.py runs/tiny --output runs/soak

Memory is what Linux counts as the process's own and no file's (RssAnon).
"""

import argparse
import csv
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from measuring.curves import draw_memory
from seq2seq import Translator

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = {
    "latin": "abcdefghijklmnopqrstuvwxyzàéèêçñößœž",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщ",
    "greek": "αβγδεζηθικλμνξοπρστ",
    "hebrew": "אבגדהוזחטיכלמנסעפצקרשת",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "hindi": "अआइईउऊएऐओऔकखगघचछजझटठ",
    "thai": "กขคงจฉชซญดตถทธนบปผ",
    "chinese": "我你他的是在有不人大来上国个到说",
    "korean": "가나다라마바사아자차카타파하",
    "emoji": "😀🎉🚀❤️👩‍👩‍👧🇫🇷",
    "odd": "\u0301\u200b\u202e\u2028\x85\x0b\x1b\t▁<s></s>",
}
CHUNK = 50
"""Sentences of a thread's call."""
BETWEEN_LOOKS = 0.5
"""Seconds."""


class Look(NamedTuple):
    """At a process."""

    seconds: float
    mebibytes: float
    files: int
    """Open descriptors."""


def sentences(number: int, seed: int = 1) -> Iterator[str]:
    """Mostly of a few words, some of none, and one in a thousand very long."""
    generator = random.Random(seed)
    english = (ROOT / "data" / "en-fr" / "train.en").read_text(encoding="utf-8").splitlines()
    for _ in range(number):
        kind = generator.random()
        if kind < 0.3:
            yield generator.choice(english)
        elif kind < 0.32:
            yield " " * generator.randint(0, 3)
        else:
            num_words = generator.randint(100, 200) if kind > 0.999 else min(40, int(generator.expovariate(0.25)) + 1)
            letters = SCRIPTS[generator.choice(list(SCRIPTS))]
            words = ("".join(generator.choices(letters, k=generator.randint(1, 6))) for _ in range(num_words))
            yield " ".join(words)


def look(pid: int, began: float) -> Look:
    status = Path(f"/proc/{pid}/status").read_text()
    (kibibytes,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))
    return Look(time.monotonic() - began, kibibytes / 1024, len(os.listdir(f"/proc/{pid}/fd")))


def by_command(run: Path, source: Path, target: Path) -> list[Look]:
    """`seq2seq translate`, looked at while it works."""
    command = [sys.executable, "-m", "seq2seq.cli", "translate", str(run), "--beam-size", "1"]
    looks, began = [], time.monotonic()
    with source.open("rb") as lines, target.open("wb") as output:
        process = subprocess.Popen(command, stdin=lines, stdout=output, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            try:
                looks.append(look(process.pid, began))
            except (OSError, ValueError):  # it has ended just now
                break
            time.sleep(BETWEEN_LOOKS)
    if process.wait():
        sys.exit(f"the command ended with status {process.returncode}")
    return looks


def by_threads(
    translator: Translator, lines: list[str], expected: list[str], num_threads: int
) -> tuple[list[int], list[Look]]:
    """One translator that several threads call at once, each with its own sentences; where the results differ.

    Nothing is kept of the results, whose memory would grow.
    """
    looks, began, ended = [], time.monotonic(), threading.Event()

    def translate(start: int) -> list[int]:
        results = translator.translate(lines[start : start + CHUNK], 1)
        return [i for i, result in enumerate(results, start) if result.text != expected[i]]

    def watch() -> None:
        while not ended.wait(BETWEEN_LOOKS):
            looks.append(look(os.getpid(), began))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(num_threads) as pool:
            starts = range(0, len(lines), CHUNK)
            found = list(tqdm(pool.map(translate, starts), "threads", len(starts), unit="call", disable=None))
    finally:
        ended.set()
        watcher.join()
    return [i for differing in found for i in differing], looks


def growth(looks: Sequence[Look]) -> tuple[float, int]:
    """By how much the second half's most memory, in MiB, and most files exceed those of the first half."""
    halves = looks[: len(looks) // 2], looks[len(looks) // 2 :]
    memory = [max(one.mebibytes for one in half) for half in halves]
    files = [max(one.files for one in half) for half in halves]
    return memory[1] - memory[0], files[1] - files[0]


def main(arguments: list[str] | None = None) -> int:
    description, _, epilog = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="for looks.csv and soak.png")
    parser.add_argument("--sentences", metavar="N", type=int, default=100_000, help="how many (default: %(default)s)")
    parser.add_argument("--threads", metavar="N", type=int, default=8, help="how many (default: %(default)s)")
    parser.add_argument("--alone", metavar="N", type=int, default=1000, help="translated one by one, too (%(default)s)")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    lines = list(sentences(options.sentences))
    source, target = options.output / "in.txt", options.output / "out.txt"
    source.write_bytes("".join(line + "\n" for line in lines).encode())
    of_command = by_command(options.run, source, target)
    by_line = target.read_bytes().decode("utf-8").split("\n")[:-1]
    if len(by_line) != len(lines):
        sys.exit(f"the command gave {len(by_line)} lines for {len(lines)}")
    translator = Translator.load(options.run, "cpu")
    translator.translate(lines[:CHUNK], 1)
    files_before = look(os.getpid(), 0.0).files
    unlike, of_threads = by_threads(translator, lines, by_line, options.threads)
    leaked = look(os.getpid(), 0.0).files - files_before
    chosen = random.Random(2).sample(range(len(lines)), min(options.alone, len(lines)))
    alone = {i: translator.translate([lines[i]], 1)[0].text for i in tqdm(chosen, "one by one", disable=None)}

    curves = {"seq2seq translate": of_command, f"Translator, {options.threads} threads": of_threads}
    with (options.output / "looks.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["part", *Look._fields])
        writer.writerows([name, *one] for name, looks in curves.items() for one in looks)
    points = {
        name: ([one.seconds for one in looks], [one.mebibytes for one in looks]) for name, looks in curves.items()
    }
    draw_memory(points, f"Memory while translating {len(lines):,} sentences", options.output / "soak.png")
    differ = {
        "translations of threads unlike the command's": len(unlike),
        f"of {len(alone):,}, one by one unlike the command's": sum(by_line[i] != text for i, text in alone.items()),
        "files left open": max(0, leaked),
    }
    for what, number in differ.items():
        print(f"{what}: {number}")
    for name, looks in curves.items():
        memory, files = growth(looks)
        peak = max(one.mebibytes for one in looks)
        print(
            f"{name}: {len(lines) / looks[-1].seconds:,.0f} sentences/s, peak {peak:.0f} MiB; in the second half "
            f"{memory:+.1f} MiB and {files:+d} open files"
        )
    return int(any(differ.values()))


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(ROOT)
    sys.exit(main())
