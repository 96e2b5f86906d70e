import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

import prepare_multi30k as script
from seq2seq.data.lines import read_lines
from seq2seq.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "prepare_multi30k.py"
PAIRS = {"train": 3, "val": 2, "test2016": 1}
FILES = ["test2016.de", "test2016.en", "train.de", "train.en", "val.de", "val.en"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "train.en").write_bytes("A dog.\nTwo men.\nA ﬁsh.".encode())
    (folder / "train.de").write_bytes("Ein Hund.\r\nZwei Männer.\r\nEin Fisch.\r\n".encode())
    (folder / "val.en").write_bytes(b"a DOG.\nA fish.\n")
    (folder / "val.de.gz").write_bytes(gzip.compress(b"Ein Hund.\nEin Fisch.\n"))
    (folder / "test2016.en.gz").write_bytes(gzip.compress(b"A cat.\n"))
    (folder / "test2016.de.gz").write_bytes(gzip.compress(b"Eine Katze.\n"))
    return folder


def test_writes_six_files_and_counts_overlap(folder: Path, tmp_path: Path):
    output = tmp_path / "deep" / "output"
    assert script.prepare(folder, output, PAIRS) == {"val": 2, "test2016": 0}
    assert sorted(path.name for path in output.iterdir()) == FILES
    assert (output / "train.en").read_bytes() == "A dog.\nTwo men.\nA ﬁsh.\n".encode()
    assert (output / "train.de").read_bytes() == "Ein Hund.\nZwei Männer.\nEin Fisch.\n".encode()
    assert list(read_lines(output / "val.de")) == ["Ein Hund.", "Ein Fisch."]
    assert list(read_lines(output / "test2016.en")) == ["A cat."]


def test_nothing_is_written_where_a_count_is_wrong(folder: Path, tmp_path: Path):
    output = tmp_path / "output"
    with pytest.raises(DataError, match=r"given: test2016 has 1 pairs; expected 1000"):
        script.prepare(folder, output, {**PAIRS, "test2016": 1000})
    assert list(output.iterdir()) == []


def test_output_may_be_the_folder_given(folder: Path):
    script.prepare(folder, folder, PAIRS)
    assert script.prepare(folder, folder, PAIRS) == {"val": 2, "test2016": 0}


def test_command(tmp_path: Path):
    folder, output = tmp_path / "given", tmp_path / "output"
    folder.mkdir()
    for split, count in {"train": 29000, "val": 1014, "test2016": 1000}.items():
        for language in ("en", "de"):
            lines = [f"{split if number else 'every'} {number} {language}\n" for number in range(count)]
            (folder / f"{split}.{language}").write_text("".join(lines), encoding="utf-8")
    done = run("--from", folder, "--output", output)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{output}/train.en, .de: 29000 pairs",
        f"{output}/val.en, .de: 1014 pairs, 1 with a source that is also in train",
        f"{output}/test2016.en, .de: 1000 pairs, 1 with a source that is also in train",
        "Next: seq2seq train configs/multi30k.yaml --run runs/multi30k",
    ]
    for name in FILES:
        assert (output / name).read_bytes() == (folder / name).read_bytes()


def refused(*arguments: str | Path) -> str:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_command_refuses_a_user_s_mistakes(folder: Path, tmp_path: Path):
    assert "train has 3 pairs; expected 29000" in refused("--from", folder, "--output", tmp_path / "output")
    missing = refused("--from", tmp_path / "nowhere", "--output", tmp_path / "output")
    assert "nowhere/train.en: cannot read the file: No such file or directory" in missing
    taken = refused("--from", folder, "--output", folder / "train.en")
    assert "train.en: cannot write: File exists" in taken


def test_command_without_a_network(tmp_path: Path):
    assert "hub dataset bentrevett/multi30k, split train: cannot load: " in refused("--output", tmp_path / "output")
