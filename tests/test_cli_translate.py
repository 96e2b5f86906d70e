"""`seq2seq translate` and `seq2seq score` as a user meets them."""

import io
import json
import math
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import torch

from seq2seq import Translator
from seq2seq.cli import main, parse
from seq2seq.cli.lines import CHUNK_LINES, LONGEST_LINE, Notes, read_chunks
from seq2seq.cli.translate import split_runs


@pytest.fixture(scope="module")
def twin_run(toy_run):
    """A run with the tokenizer of the other and weights of its own."""
    config, run = toy_run.parent / "config.yaml", toy_run.parent / "twin"
    assert main(["train", str(config), "training.seed=7", "training.max_steps=60", "--run", str(run)]) == 0
    return run


@pytest.fixture(scope="module")
def other_vocabulary_run(toy_run):
    config, run = toy_run.parent / "config.yaml", toy_run.parent / "other-vocabulary"
    assert main(["train", str(config), "tokenizer.type=bpe", "--run", str(run)]) == 0
    return run


def output(capsys, *arguments):
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


HOSTILE = [
    b"a b c", b"", b"   ", "日本語 שלום العربية".encode(), "😀👩‍👩‍👧 a".encode(), b"a\x00b\x01\x1b[31m", b"\xff\xfe a",
    b"a\x0bb\x0cc\x1cd\x1de\x1ef", "a\u0085b\u2028c\u2029d".encode(), b"a\rb", b"a b\r", b"\xef\xbb\xbf", b"\xc3",
    b"a" * 5000,
    b"</s> <s> <pad> <0x0A>", "e\u0301\u200b\u00ad".encode(), b"x " * 3000,
]  # fmt: skip


@pytest.mark.parametrize("ends_with_newline", [True, False])
def test_a_line_out_for_every_line_in(toy_run, capsys, stdin, ends_with_newline):
    stdin(b"\n".join(HOSTILE) + b"\n" * ends_with_newline)
    assert main(["translate", str(toy_run), "--beam-size", "2", "--max-source-length", "40"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.split("\n")
    assert len(lines) == len(HOSTILE) + 1
    assert lines[-1] == ""
    assert all(len(line.splitlines()) <= 1 for line in lines)
    assert lines[0]
    assert lines[1] == lines[2] == ""
    assert "standard input: line 7: not UTF-8 from its byte 1 on, 0xff: replaced" in captured.err
    assert "standard input: line 13: not UTF-8 from its byte 1 on, 0xc3: replaced" in captured.err
    for number in (14, 17):
        assert f"standard input: line {number}: the last " in captured.err
    assert captured.err.count("\n") == 4


def test_notes_are_ten_and_a_count(toy_run, capsys, stdin):
    stdin(b"\xff\n" * 13)
    assert main(["translate", str(toy_run), "--beam-size", "1"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 13
    assert captured.err.count("\n") == 11
    assert "standard input: 3 more such notes left out" in captured.err


def test_line_without_end(capsys):
    start, rest = b"\xe2\x82\xac" * (LONGEST_LINE // 3), b"x" * LONGEST_LINE
    notes = Notes("in")
    (chunk,) = read_chunks(io.BytesIO(start + rest + b"\nnext\n" + start), notes)
    assert [len(line.encode()) for line in chunk] == [LONGEST_LINE, 4, len(start)]
    assert chunk[0].startswith("€€€")
    assert (
        capsys.readouterr().err == f"seq2seq: in: line 1: longer than {LONGEST_LINE:,} bytes: the rest was not read\n"
    )
    (cut,) = read_chunks(io.BytesIO(b"aa" + start + rest), notes)
    assert "\ufffd" not in cut[0]


def test_chunks_are_what_has_come():
    reader, writer = os.pipe()
    with open(reader, "rb") as stream, open(writer, "wb", buffering=0) as feed:
        chunks = read_chunks(stream, Notes("pipe"))
        feed.write(b"one\ntwo\nthr")
        assert next(chunks) == ["one", "two"]
        feed.write(b"ee\n")
        assert next(chunks) == ["three"]
        feed.write(b"x\n" * (CHUNK_LINES + 5))
        assert next(chunks) == ["x"] * CHUNK_LINES
        assert next(chunks) == ["x"] * 5
        feed.write(b"last")
        feed.close()
        assert next(chunks) == ["last"]
        assert next(chunks, None) is None


def test_runs_come_first(tmp_path, monkeypatch):
    for name in ("a", "b", "data"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)

    def split(*arguments):
        runs, sentences = split_runs(parse(["translate", *arguments]))
        return [str(run) for run in runs], sentences

    assert split("a") == (["a"], [])
    assert split("a", "b") == (["a", "b"], [])
    assert split("a", "One.", "b") == (["a"], ["One.", "b"])
    assert split("a", "--beam-size", "2", "b", "One.") == (["a", "b"], ["One."])
    assert split("a", "--", "data", "-x") == (["a"], ["data", "-x"])
    assert split("nothing", "a") == (["nothing", "a"], [])  # which is then refused by name


def test_dashes_are_for_sentences_alone(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["inspect", "run", "--", "x"])
    assert "unrecognized arguments: -- x" in capsys.readouterr().err


def test_folder_that_is_no_run_is_named(toy_run, tmp_path, check_error):
    check_error(["translate", toy_run, tmp_path, "a"], f"{tmp_path}: not a run folder")


def test_files_in_and_out(toy_run, capsys, tmp_path):
    (tmp_path / "in.txt").write_text("a b c\nh g\n")
    assert output(capsys, "translate", toy_run, "--input", tmp_path / "in.txt", "--output", tmp_path / "out.txt") == ""
    expected = output(capsys, "translate", toy_run, "a b c", "h g")
    assert (tmp_path / "out.txt").read_text() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]


def test_n_best_scores_and_alignment(toy_run, capsys):
    sentences = ["a b c", "", "d e f g"]
    options = ["--beam-size", "4", "--n-best", "3", "--scores", "--alignment"]
    lines = [line.split("\t") for line in output(capsys, "translate", toy_run, *sentences, *options).splitlines()]
    results = Translator.load(toy_run, "cpu").translate(sentences, 4, n_best=3)
    expected = [(number, each) for number, result in enumerate(results, 1) for each in (result, *result.alternatives)]
    assert len(lines) == len(expected) > 5
    for (number, score, text, pairs), (line, result) in zip(lines, expected, strict=True):
        assert (int(number), text) == (line, result.text)
        assert float(score) == pytest.approx(result.score, abs=1e-6)
        for pair in pairs.split():
            source, target = map(int, pair.split("-"))
            assert source < len(result.source.split())
            assert target < len(text.split())
    assert output(capsys, "translate", toy_run, "a b c", "--scores").count("\t") == 1


def test_attention_json(toy_run, capsys, tmp_path):
    text = output(capsys, "translate", toy_run, "a b c", "", "--attention-json", tmp_path / "a.jsonl")
    first, second = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    (result,) = Translator.load(toy_run, "cpu").translate(["a b c"])
    assert text == f"{result.text}\n\n"
    assert (first["source"], first["text"], first["tokens"]) == ("a b c", result.text, result.tokens)
    torch.testing.assert_close(torch.tensor(first["weights"]), result.weights, atol=1e-6, rtol=0)
    assert (second["text"], second["weights"]) == ("", [])


def test_several_runs_vote(toy_run, twin_run, other_vocabulary_run, capsys, check_error):
    alone = output(capsys, "translate", toy_run, "a b c", "--scores")
    assert output(capsys, "translate", toy_run, toy_run, "a b c", "--scores") == alone
    assert output(capsys, "translate", toy_run, twin_run, "a b c", "--scores") != alone
    message = f"{other_vocabulary_run}: its vocabulary is not that of {toy_run}"
    check_error(["translate", toy_run, other_vocabulary_run, "a"], message)


def test_search_options_reach_search(toy_run, capsys):
    def text(*options):
        return output(capsys, "translate", toy_run, "a b c d", *options).strip()

    assert text("--prefix", "h h").startswith("h h")
    assert text("--sample", "--seed", "3") == text("--sample", "--seed", "3", "--batch-tokens", "9")
    assert len({text("--sample", "--temperature", "5", "--seed", str(seed)) for seed in range(4)}) > 1
    assert text("--sample", "--top-k", "1") == text("--beam-size", "1")
    assert len(text("--min-length-ratio", "3", "--max-length-ratio", "3")) > len(text())
    letters = text("--no-repeat-ngram-size", "1", "--min-length-ratio", "2").split()
    assert len(letters) == len(set(letters))
    assert text("--precision", "bfloat16")
    assert text("--precision", "int8")
    every = ("--beam-size", "4", "--n-best", "4")
    assert len(text(*every, "--beam-threshold", "1e-9").splitlines()) < 4 == len(text(*every).splitlines())
    assert text(*every, "--beam-threshold", "1000") == text(*every)


def test_without_attention(toy, capsys, tmp_path, check_error):
    run = tmp_path / "run"
    assert main(["train", str(toy / "config.yaml"), "model.attention.score=none", "--run", str(run)]) == 0
    capsys.readouterr()
    for option, name in [(["--alignment"], "--alignment"), (["--attention-json", tmp_path / "a"], "--attention-json"),
                         (["--coverage-penalty", "1"], "coverage_penalty")]:  # fmt: skip
        check_error(["translate", run, "a", *option], f"{name} needs an attention, and this model has none")


def test_prompt(toy_run):
    """A terminal gets a prompt, a translation after each line, and a quiet end by Ctrl-C."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "seq2seq.cli", "translate", str(toy_run), "--beam-size", "1"]
    environment = {**os.environ, "TERM": "dumb"}
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=subprocess.PIPE, env=environment,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # fmt: skip
    os.close(child)
    shown = b""

    def wait_for(text, count):
        nonlocal shown
        end = time.monotonic() + 60
        while shown.count(text) < count and time.monotonic() < end:
            if select.select([parent], [], [], 0.1)[0]:
                shown += os.read(parent, 4096)
        assert shown.count(text) >= count, shown

    try:
        wait_for(b"> ", 1)
        os.write(parent, b"a b c\n")
        wait_for(b"> ", 2)
        for _ in range(10):  # one that comes between the prompt and the waiting for a key is seen with the next
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
                break
        assert process.poll() == 0
        assert process.communicate()[1] == b""
        (result,) = Translator.load(toy_run, "cpu").translate(["a b c"], 1)
        assert result.text.encode() in shown
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        os.close(parent)


def test_long_input_in_flat_memory(toy_run, tmp_path):
    """Ten times the text takes no more memory, but for what an allocator keeps: under 40 MB where it would take 200."""
    code = ("import resource, sys; from seq2seq.cli import main; status = main(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(status)")  # fmt: skip
    peaks = []
    for count in (1_100, 11_000):  # blank but for one line: what is measured is the reading and the writing
        with open(tmp_path / "in.txt", "w") as file:
            file.writelines(" " * 2000 + "\n" for _ in range(count))
            file.write("a b\n")
        arguments = [
            "translate",
            str(toy_run),
            "--input",
            str(tmp_path / "in.txt"),
            "--output",
            str(tmp_path / "out.txt"),
        ]
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        peaks.append(int(done.stderr))
        assert (tmp_path / "out.txt").read_bytes().count(b"\n") == count + 1
    assert peaks[1] - peaks[0] < 40_000  # kilobytes


def test_score_of_files_and_of_standard_input(toy_run, capsys, stdin, tmp_path):
    (tmp_path / "in.txt").write_text("a b c\nh\n\n")
    (tmp_path / "out.txt").write_text("c b a\na a a\nx\n")
    files = ["--source", tmp_path / "in.txt", "--target", tmp_path / "out.txt"]
    shown = output(capsys, "score", toy_run, *files)
    results = Translator.load(toy_run, "cpu").align(["a b c", "h", ""], ["c b a", "a a a", "x"])
    lines = [list(map(float, line.split("\t"))) for line in shown.splitlines()]
    for (log_prob, perplexity), result in zip(lines[:2], results, strict=False):
        assert log_prob == pytest.approx(sum(result.token_log_probs), abs=1e-5)
        assert perplexity == pytest.approx(math.exp(-log_prob / len(result.tokens)), rel=1e-5)
    assert lines[2] == [-math.inf, math.inf]
    stdin(b"a b c\tc b a\nh\ta a a\r\n\tx\n")
    assert output(capsys, "score", toy_run) == shown
    records = [json.loads(line) for line in output(capsys, "score", toy_run, *files, "--json").splitlines()]
    assert [record["text"] for record in records] == ["c b a", "a a a", "x"]
    assert records[0]["token_log_probs"] == pytest.approx(results[0].token_log_probs, abs=1e-6)
    assert records[0]["tokens"] == results[0].tokens
    assert (records[2]["log_prob"], records[2]["perplexity"]) == (None, None)
    for precision in ("bfloat16", "int8"):
        first, *_ = output(capsys, "score", toy_run, *files, "--precision", precision).splitlines()
        assert 0 < abs(float(first.split("\t")[0]) - lines[0][0]) < 0.5


def test_score_of_all_together(toy_run, capsys, stdin):
    stdin(b"a b c\tc b a\nh\ta a a\n\t\n")
    pairs = [list(map(float, line.split("\t"))) for line in output(capsys, "score", toy_run).splitlines()]
    assert pairs[2] == [0.0, 1.0]
    stdin(b"a b c\tc b a\nh\ta a a\n\t\n")
    total = json.loads(output(capsys, "score", toy_run, "--total", "--json"))
    assert total["pairs"] == 3
    assert total["log_prob"] == pytest.approx(sum(log_prob for log_prob, _ in pairs), abs=1e-5)
    assert total["perplexity"] == pytest.approx(math.exp(-total["log_prob"] / total["tokens"]), rel=1e-5)
    stdin(b"a b c\tc b a\nh\ta a a\n\t\n")
    assert float(output(capsys, "score", toy_run, "--total").split("\t")[0]) == pytest.approx(
        total["log_prob"], abs=1e-5
    )


def test_a_shortlist_is_asked_for_by_name_and_needs_a_table(toy_run, capsys, check_error, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(toy_run, run)
    missing = (
        f"seq2seq: error: {run}: a shortlist needs lexicon.safetensors, which is not there: `seq2seq lexicon {run}`"
    )
    check_error(["translate", run, "a b", "--shortlist", "--output", tmp_path / "out"], missing)
    assert not (tmp_path / "out").exists()
    assert "lexicon.safetensors is learned from 500 pairs" in output(capsys, "lexicon", run)
    whole, listed = (output(capsys, "translate", run, "--scores", *more, "a b c") for more in ([], ["--shortlist"]))
    assert whole.split("\t")[1] == listed.split("\t")[1]
    assert float(whole.split("\t")[0]) < float(listed.split("\t")[0]) < 0
    assert output(capsys, "translate", run, run, "--shortlist", "a b c") == listed.split("\t")[1]
    drawn = ["translate", run, "a b", "--shortlist", "--sample"]
    check_error(drawn, "sample draws from the whole vocabulary, shortlist cuts it: leave one of them out")
