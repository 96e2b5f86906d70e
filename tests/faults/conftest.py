"""Commands as a user types them, in a folder with a corpus of twenty lines; and docs/errors.md, with their answers."""

import os
import random
import re
import shlex
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from seq2seq.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
INTRODUCTION = """# What can go wrong, and what the commands answer

Written by `pytest tests/faults --write-errors`, from the tests of these names in [tests/faults](../tests/faults), which
check each line. A command that refuses prints one line on stderr, `seq2seq: error: ` and the answer, nothing on stdout,
and exits with status 2. Where it goes on, it says so in a note. File names are those of the tests.
"""
rows = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser):
    parser.addoption("--write-errors", action="store_true", help="write docs/errors.md anew, from all of tests/faults")


def pytest_sessionfinish(session, exitstatus):
    if exitstatus or not session.config.getoption("--write-errors"):
        return
    sections: dict[str, list[str]] = {}
    for test in session.items:
        if (block := session.config.stash[rows].get(test.name)) is not None:
            title = test.module.__doc__.partition(":")[0]
            sections.setdefault(title, ["| row | what is wrong | seq2seq ... | answer |", "|---|---|---|---|"]).append(
                block
            )
    tables = ["\n".join([f"## {title}", "", *lines]) for title, lines in sections.items()]
    PAGE.write_text("\n\n".join([INTRODUCTION.rstrip(), *tables]) + "\n", encoding="utf-8")


@pytest.fixture
def answer(request, capsys, stdin, tmp_path):
    """Runs a command line and checks its status and what its last line on stderr says; returns what it printed.

    The test's lines are compared with those on the page, or kept to be written there.
    """
    lines: list[tuple[str, str]] = []

    def run(command: str, *parts: str, status: int = 2, given: bytes = b"") -> str:
        capsys.readouterr()
        stdin(given)
        try:
            ended = main(shlex.split(command))
        except SystemExit as error:  # by argparse, which shows the usage first
            ended = error.code
        out, err = capsys.readouterr()
        assert ended == status, err
        *before, line = err.splitlines()
        for part in parts:
            assert part in line
        assert not before or before[0].startswith("usage: ")
        if status == 2:
            assert out == ""
        said = re.sub(r"^seq2seq( \w+)?: (error: )?", "", line).replace(f"{tmp_path}/", "")
        lines.append((command, said if status == 2 else f"(goes on) {said}"))
        return out

    yield run
    if request.session.testsfailed or not lines:
        return
    number, name = re.fullmatch(r"test_fault_(\d+)_(\w+)", request.node.name).groups()
    block = ""
    for index, cells in enumerate(lines):
        first = (str(int(number)), name.replace("_", " ")) if index == 0 else ("", "")
        block += "\n" * (index > 0) + "|".join(
            ["", *(f" {cell} ".replace("|", "\\|") for cell in first), *map(_code, cells), ""]
        )
    if request.config.getoption("--write-errors"):
        request.config.stash.setdefault(rows, {})[request.node.name] = block
        return
    page = PAGE.read_text(encoding="utf-8")
    message = "docs/errors.md is not what the tests found: pytest tests/faults --write-errors"
    assert f"\n{block}\n" in page, message
    assert not page.partition(f"{block}\n")[2].startswith("|  |"), message


def _code(cell: str) -> str:
    """As code in a cell of a table in Markdown."""
    fence = "``" if "`" in cell else "`"
    padding = " " if fence == "``" else ""
    return f" {fence}{padding}{cell}{padding}{fence} ".replace("|", "\\|")


CONFIG = """data:
  source_language: in
  target_language: out
  train: {source: train.in, target: train.out}
  validation: {source: val.in, target: val.out}
  test: {source: test.in, target: test.out}
tokenizer: {vocabulary_size: 290}
model:
  embedding_size: 6
  encoder: {hidden_size: 5}
  decoder: {hidden_size: 7}
training: {batch_tokens: 100, max_epochs: null, max_steps: 4, validate_every: 2, checkpoint_every: 2,
           keep_checkpoints: 2, precision: float32}
"""


def write_corpus(folder: Path) -> None:
    generator = random.Random(0)
    for split, count in {"train": 20, "val": 5, "test": 5}.items():
        lines = [" ".join(generator.choices("abcdefgh", k=generator.randint(2, 6))) for _ in range(count)]
        (folder / f"{split}.in").write_text("".join(line + "\n" for line in lines))
        (folder / f"{split}.out").write_text("".join(line[::-1] + "\n" for line in lines))
    (folder / "config.yaml").write_text(CONFIG)


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """The current folder, with config.yaml and three splits of an .in and an .out each."""
    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path)
    return tmp_path


@pytest.fixture
def nobody():
    """Within, whoever runs the tests may not read or write what the file's mode forbids: root may, elsewhere."""

    @contextmanager
    def nobody():
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(user)

    return nobody


@pytest.fixture(scope="session")
def first_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_corpus(folder)
        assert main(["train", "config.yaml", "--run", "run"]) == 0
    return folder / "run"


@pytest.fixture
def run(corpus, first_run):
    """A run of four steps with two checkpoints, which lies beside its corpus."""
    shutil.copytree(first_run, corpus / "run", symlinks=True)
    return corpus / "run"
