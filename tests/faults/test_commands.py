"""Commands: where they write, what they are given, and the machine around them."""

import io
import os
import shutil
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from seq2seq.cli import main

SEQ2SEQ = f"{sys.executable} -m seq2seq.cli"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess:
    done = subprocess.run(command, shell=True, capture_output=True, timeout=120, env=os.environ | environment)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_fault_04_places_that_cannot_be_written(run, corpus, answer, nobody):
    (corpus / "file").write_text("mine")
    answer("train config.yaml --run file", "file: cannot make or write the run folder: File exists")
    answer("train config.yaml --run file/new", "file/new: cannot make or write the run folder: Not a directory")
    answer(
        "train config.yaml --run new data.cache=file",
        "file: cannot write the tokenized corpus: File exists; data.cache",
    )
    answer("translate run a --output no/out.txt", "no/out.txt: there is no folder no")
    answer("translate run a --output run", "run: is a folder; name a file")
    answer("translate run a --attention-json run", "run: is a folder; name a file")
    answer("evaluate run --output no/out.txt", "no/out.txt: there is no folder no")
    answer("evaluate run --plot a.pdf", "a.pdf: a picture's name ends with .png or .svg")
    answer("attention run a --output no/a.png", "no/a.png: there is no folder no")
    answer("attention run a --output a.jpg", "a.jpg: --output writes files that end with .png, .svg or .json")
    answer("export run --output file/new", "file/new: cannot write the folder: Not a directory")
    assert (corpus / "file").read_text() == "mine"
    corpus.chmod(0o555)
    with nobody():
        answer("train config.yaml --run forbidden", "forbidden: cannot make or write the run folder: Permission denied")


def test_fault_41_no_network(run, monkeypatch, answer, capsys):
    """All that is local works with every connection refused; what is not is told at once."""

    def refuse(*arguments):
        raise AssertionError("a connection was tried")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for command in ("train config.yaml --run new", "evaluate new", "translate new a", "attention new a", "inspect new"):
        assert main(command.split()) == 0
    answer(
        "translate owner/name a", "owner/name: there is no such folder, and HF_HUB_OFFLINE is set, which leaves only"
    )


@pytest.mark.slow
def test_fault_41_no_home(corpus):
    """None that may be written, or none at all; and no name for the user."""
    environment = f"env -i PATH='{os.environ['PATH']}' PYTHONPATH='{':'.join(filter(None, sys.path))}'"
    for name, home in {"one": "HOME=/proc/none", "two": ""}.items():
        done = shell(f"{environment} {home} {SEQ2SEQ} train config.yaml --run {name}")
        assert (done.returncode, done.stderr) == (0, "")


def test_fault_43_translations_that_do_not_fit_the_test_set(run, corpus, answer):
    (corpus / "short.txt").write_text("a\nb\n")
    (corpus / "empty.txt").write_text("")
    answer("evaluate run --translations short.txt", "short.txt has 2 lines, for a test set of 5 sentences: a file of")
    answer("evaluate run --translations empty.txt", "empty.txt is empty")
    answer("evaluate run --source test.in", "--source and --target go together: a file of sentences and its references")
    answer("evaluate run ./run", "is named 2 x: name each once")
    answer("score run --source test.in", "--source and --target go together: a file of sentences and its translations")
    answer(
        "score run", "standard input: line 2 has 0 tabs; expected one: sentence, tab, translation", given=b"a\tb\nc\n"
    )


def test_fault_45_broken_pipe_is_quiet(run):
    done = shell(f"yes 'a b c' | head -5000 | {SEQ2SEQ} translate run --beam-size 1 | head -1")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_fault_45_closed_output(run):
    """Its place would be taken by the next file that is opened, and what is meant for stderr be written into that."""
    done = shell(f"{SEQ2SEQ} inspect run >&-")
    message = "seq2seq: error: standard output is closed: send it to a file, or to /dev/null\n"
    assert (done.returncode, done.stderr) == (2, message)
    done = shell(f"{SEQ2SEQ} attention run a --output a.jpg 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_fault_45_full_output(run, monkeypatch, capsys):
    full = open("/dev/full", "w")  # noqa: SIM115 (closing it fails)
    monkeypatch.setattr(sys, "stdout", full)
    assert main(["evaluate", "run", "--translations", "test.out"]) == 2
    assert capsys.readouterr().err == "seq2seq: error: output: No space left on device\n"
    with suppress(OSError):
        full.close()


def test_fault_45_input_closed_or_for_writing_alone(run, corpus, monkeypatch, capsys, check_error):
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["translate", "run"]) == 0
    sys.stdin.close()
    assert capsys.readouterr() == ("", "")
    with open(os.open("written", os.O_WRONLY | os.O_CREAT), "rb") as stream:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
        check_error(["translate", "run"], "standard input: cannot read it: Bad file descriptor")


def test_fault_46_locale_and_names(run, corpus):
    """Text is UTF-8 whatever the locale; a name is taken as it is, and shown in one line."""
    for name in ("with space é", "with\nnewline"):
        shutil.copytree(run, corpus / name)
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "cp1252"}
    done = shell(f"printf 'a €\\n' | {SEQ2SEQ} translate 'with\nnewline' --prefix '日本 €'", **locale)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("日本 €")


def test_fault_46_names_that_break_lines(run, corpus, check_error):
    os.rename(run, corpus / "with space é")
    assert main(["translate", "with space é", "a"]) == 0
    line = check_error(["translate", "with\nnew\x1b[31mline", "a"], "with\\nnew\\x1b[31mline: ")
    assert "\x1b" not in line
    check_error(["train", "config.yaml", "--run", "caf\udce9"], "caf\\udce9: the folder's name is not UTF-8; rename it")
    check_error(["translate", "caf\udce9", "a"], "caf\\udce9: the folder's name is not UTF-8; rename it")


def test_fault_51_results_that_would_replace_something(run, corpus, answer):
    texts = {name: (corpus / name).read_bytes() for name in ("test.in", "test.out")}
    (corpus / "null").symlink_to("/dev/null")
    (corpus / "link.txt").symlink_to("test.out")
    os.mkfifo(corpus / "fifo")
    for name in ("/dev/null", "null", "link.txt", "fifo"):
        answer(f"translate run a --output {name}", f"{name}: is a link or a device, which the result would replace")
    message = "is read, and would be written over; name another file for what is written"
    answer("translate run --input test.in --output test.in", f"test.in: {message}")
    answer("evaluate run --output test.out", f"test.out: {message}")
    answer("evaluate run --source test.in --target test.out --output ./test.out", f"test.out: {message}")
    answer("translate run a --output a.txt --attention-json a.txt", "are both a.txt: name two files")
    assert {name: (corpus / name).read_bytes() for name in texts} == texts


def test_fault_59_options_that_do_not_go_together(run, answer):
    answer("translate run a --input test.in", "--input test.in and sentences do not go together: give one of them")
    answer("evaluate run --translations test.out --output a.txt", "--output writes the translations of one RUN")
    answer(
        "attention run a b --target c", "--target is given 1 x, for 2 sentences: give it once for each, or not at all"
    )
    answer("attention run a --target b --encoder", "--encoder and --target do not go together")
    answer("attention run a ' '", "sentence 2 is blank: there is nothing to attend to")
    answer("attention run ' ' --target a", "sentence 1 is blank")
    answer("attention run a --encoder", "its encoder has no self-attention")
    answer("export run --output a --private", "--private goes with --push: a folder is as private as where you put it")
    answer("train config.yaml", "the following arguments are required: --run")
    answer("train config.yaml --run new --fast", "unrecognized arguments: --fast")
    answer("inspect run more", "unrecognized arguments: more")
