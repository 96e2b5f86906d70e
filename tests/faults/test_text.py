"""Text: corpora, files to translate, and their vocabulary."""

import gzip
import json

import pytest

TRAIN = "train config.yaml --run run"


def test_fault_01_empty_training_source(corpus, answer):
    (corpus / "train.in").write_bytes(b"")
    answer(TRAIN, "train.in is empty")
    assert not (corpus / "run" / "tokenizer").exists()


def test_fault_02_empty_validation_text(corpus, answer):
    for name in ("val.out", "val.in"):  # after that both
        (corpus / name).write_bytes(b"")
        answer(TRAIN, f"{name} is empty")


def test_fault_03_files_that_cannot_be_read(corpus, run, answer, nobody):
    answer("train config.yaml --run new data.train.source=no.in", "no.in: cannot read the file: No such file")
    answer("train config.yaml --run new data.train.source=run", "run: cannot read the file: Is a directory")
    answer("train no.yaml --run new", "no.yaml: cannot read the config: No such file")
    answer("train run --run new", "run: cannot read the config: Is a directory")
    answer("translate run --input no.txt", "no.txt: No such file")
    answer("translate run --input run", "run: Is a directory")
    answer("evaluate run --translations no.txt", "no.txt: cannot read the file")
    for name in ("train.in", "config.yaml"):
        (corpus / name).chmod(0)
    with nobody():
        answer("train config.yaml --run new", "config.yaml: cannot read the config: Permission denied")
        answer("score run --source train.in --target train.out", "train.in: cannot read the file: Permission denied")


def test_fault_05_sides_of_unequal_length(corpus, run, answer):
    with open(corpus / "train.in", "a") as file:
        file.write("one more\n")
    answer("train config.yaml --run new", "train.in has 21 lines, but train.out has 20; line-aligned files")
    with open(corpus / "train.out", "a") as file:
        file.write("101 more\n" * 101)
    answer("train config.yaml --run new", "train.in has 21 lines, but train.out has 121; line-aligned files")
    answer("evaluate run --source test.in --target train.out", "test.in has 5 lines, but train.out has 121")
    answer("score run --source test.in --target train.out", "test.in has 5 lines, but train.out has 121")


def test_fault_06_lines_that_are_blank_on_one_side(corpus):
    from seq2seq.cli import main

    for end, lines in {"in": "\nx\n \n", "out": "x\n\n\t\n"}.items():
        for split in ("train", "val"):
            path = corpus / f"{split}.{end}"
            path.write_text(lines + path.read_text())
    assert main([*TRAIN.split(), "tokenizer.vocabulary_size=8000"]) == 0
    counts = json.loads((corpus / "run" / "data.json").read_text())
    assert (counts["train"]["read"], counts["train"]["kept"]) == (23, 20)
    assert counts["train"]["dropped"] == {"empty": 3, "too_long": 0, "ratio": 0}
    log = (corpus / "run" / "train.log").read_text()
    assert "training pairs: 23 read, 20 kept; dropped: 3 with an empty side" in log
    assert "pieces, all that the text supports" in log  # row 17: asked for 8000


def test_fault_07_all_lines_blank(corpus, run, answer):
    texts = {name: (corpus / name).read_bytes() for name in ("train.in", "train.out", "val.in", "val.out")}
    (corpus / "train.in").write_bytes(b" \n" * 20)
    answer("train config.yaml --run new", "no usable pairs in the training corpus: of 20, 20 have an empty side")
    (corpus / "train.out").write_bytes(b"\t\n" * 20)
    answer("train config.yaml --run new", "the training text is blank: there is nothing to learn a vocabulary from")
    for name, content in texts.items():
        (corpus / name).write_bytes(content)
    (corpus / "val.in").write_bytes(b"\n" * 5)
    answer("train config.yaml --run new", "no usable pairs in the validation corpus: each has a blank side")
    (corpus / "test.out").write_bytes(b"\n" * 5)
    answer("evaluate run", "all references are blank, in source=test.in, target=test.out")


def test_fault_09_byte_order_mark(run, capsys, stdin):
    from seq2seq.cli import main

    printed = []
    for mark in (b"", b"\xef\xbb\xbf"):
        for command, line in {"translate": b"a b c\n", "score": b"a b c\tc b a\n"}.items():
            stdin(mark + line)
            assert main([command, "run"]) == 0
        printed.append(capsys.readouterr())
    assert printed[0] == printed[1]


def test_fault_10_bytes_that_are_not_utf8(corpus, run, answer):
    out = answer("translate run", "standard input: line 2: not UTF-8 from its byte 2 on, 0xe9: replaced",
                 status=0, given=b"a\nb\xe9\nc\n")  # fmt: skip
    assert out.count("\n") == 3
    answer("score run", "standard input: line 1: byte 4 is not valid UTF-8", given=b"a\tb\xe9\n")
    lines = (corpus / "train.in").read_bytes().splitlines(keepends=True)
    (corpus / "train.in").write_bytes(b"".join([*lines[:11], b"caf\xe9\n", *lines[12:]]))
    answer("train config.yaml --run new", "train.in: line 12, byte offset 3: byte 0xe9 is not valid UTF-8; mend it, or")


def test_fault_11_other_files_given_as_text(corpus, run, answer):
    text = (corpus / "train.in").read_text()
    answer("translate run", "standard input is UTF-16 text; expected UTF-8", given=text.encode("utf-16"))
    (corpus / "in.gz").write_bytes(gzip.compress(text.encode()))
    answer("translate run --input in.gz", "in.gz is gzipped: unpack it first, as with zcat")
    (corpus / "train.in").write_text(text, encoding="utf-16")
    answer("train config.yaml --run new", "train.in is UTF-16 text; expected UTF-8 (convert it with iconv)")
    answer("train config.yaml --run new data.train.source=run/checkpoints/latest/optimizer.pt",
           "line 1, byte offset 4: NUL byte; expected UTF-8 text, not a binary file")  # fmt: skip
    answer("train train.out --run new", "train.out: a config is a mapping of sections")


def test_fault_12_nul_byte_in_a_line(corpus, answer):
    text = (corpus / "train.in").read_text()
    (corpus / "train.in").write_text(text.replace("a", "\0", 1))
    answer(TRAIN, f"train.in: line {text[: text.index('a')].count(chr(10)) + 1}, byte offset", "NUL byte")


@pytest.mark.slow
def test_fault_13_a_line_of_ten_megabytes(corpus):
    from seq2seq.cli import main

    for end, line in {"in": "x " * 5_000_000, "out": "x"}.items():
        path = corpus / f"train.{end}"
        path.write_text(f"{line}\n{path.read_text()}")
    assert main(TRAIN.split()) == 0
    assert json.loads((corpus / "run" / "data.json").read_text())["train"]["dropped"]["too_long"] == 1


def test_fault_18_vocabulary_smaller_than_the_alphabet(corpus, answer):
    answer(f"{TRAIN} tokenizer.vocabulary_size=20", "tokenizer.vocabulary_size=20 is too small", "take 269 pieces")


def test_fault_42_tables_that_are_not_as_expected(corpus, answer):
    (corpus / "train.csv").write_text("english,german\na,b\n")
    where = "data.train.source=null data.train.target=null"
    answer(f"{TRAIN} {where} data.train.csv=train.csv", "train.csv: no column 'in'; available are 'english', 'german'")
    (corpus / "train.jsonl").write_text('{"in": "a", "out": "b",}\n')
    answer(f"{TRAIN} {where} data.train.json=train.jsonl", "train.jsonl: line 1: expected one JSON object a line")
    answer(f"{TRAIN} {where}", "data.train: give exactly one of source+target, json, csv, tsv, parquet, hub; got none")
    answer(f"{TRAIN} data.train.csv=train.csv", "data.train: give exactly one of", "got source and csv")
