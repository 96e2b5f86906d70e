import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from seq2seq.config import CorpusConfig, DataConfig
from seq2seq.data.corpus import Corpus, read_corpus
from seq2seq.data.lines import read_lines
from seq2seq.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
PAIRS = Corpus(["A dog.", "Two men."], ["Ein Hund.", "Zwei Männer."])


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def data_config(corpus: CorpusConfig) -> DataConfig:
    return DataConfig(source_language="en", target_language="de", train=corpus, validation=corpus)


def read(default_split: str = "train", **place: str | Path) -> Corpus:
    corpus = CorpusConfig.model_validate({key: str(value) for key, value in place.items()})
    return read_corpus(corpus, data_config(corpus), default_split)


def write_parquet(path: Path, **columns: list) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def write_json(path: Path, *rows: object) -> Path:
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


# Plain text


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),  # a last line without newline is a line
        (b"a\n\nb\n\n", ["a", "", "b", ""]),
        (b"\n", [""]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\r\nb\r", ["a\r", "b"]),
        (b"a\rb\nc\n", ["a\rb", "c"]),
        ("a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n".encode(), ["a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbf\n", [""]),
        ("a\ufeffb\n\ufeffc\n".encode(), ["a\ufeffb", "\ufeffc"]),  # a mark further on is text
        (b" a \t\n", [" a \t"]),
    ],
)
def test_lines_end_at_newline_alone(tmp_path: Path, content: bytes, lines: list[str]):
    assert list(read_lines(write(tmp_path / "x.en", content))) == lines
    assert list(read_lines(write(tmp_path / "packed", gzip.compress(content)))) == lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"x\.en is empty"),
        (b"\xef\xbb\xbf", r"x\.en is empty"),
        (gzip.compress(b"", mtime=0), r"x\.en is empty"),
        (b"ab\ncd\nef\xff\n", r"x\.en: line 3, byte offset 2: byte 0xff is not valid UTF-8"),
        (b"\xffab", r"x\.en: line 1, byte offset 0: byte 0xff"),
        (b"\xef\xbb\xbfa\xe9\n", r"x\.en: line 1, byte offset 4: byte 0xe9"),
        ("a\nü".encode()[:-1] + b"\nb\n", r"x\.en: line 2, byte offset 0: byte 0xc3"),  # cut short by the newline
        ("a\nb\n".encode("utf-16"), r"x\.en is UTF-16 text; expected UTF-8"),
        ("a\nb\n".encode("utf-16-be"), r"x\.en: line 1, byte offset 0: NUL byte; expected UTF-8 text"),
        (b"ab\nc\0d\n", r"x\.en: line 2, byte offset 1: NUL byte"),
        (gzip.compress(b"a\nb\n" * 99, mtime=0)[:-9], r"x\.en: damaged gzip file"),
        (gzip.compress(b"a\nb\n", mtime=0)[:-8] + bytes(8), r"x\.en: damaged gzip file"),
        (b"\x1f\x8b\x08" + b"x" * 20, r"x\.en: damaged gzip file"),
    ],
)
def test_refuses_what_is_not_text(tmp_path: Path, content: bytes, message: str):
    with pytest.raises(DataError, match=message) as error:
        list(read_lines(write(tmp_path / "x.en", content)))
    assert "\n" not in str(error.value)


def test_refuses_files_it_cannot_open(tmp_path: Path):
    with pytest.raises(DataError, match=r"x\.en: cannot read the file: No such file or directory"):
        list(read_lines(tmp_path / "x.en"))
    with pytest.raises(DataError, match="cannot read the file: Is a directory"):
        list(read_lines(tmp_path))
    path = write(tmp_path / "x.en", b"a\n")
    path.chmod(0)
    if not os.access(path, os.R_OK):  # root may read it
        with pytest.raises(DataError, match=r"x\.en: cannot read the file: Permission denied"):
            list(read_lines(path))


def test_text_files(tmp_path: Path):
    source = write(tmp_path / "x.en", "\n".join(PAIRS.source))
    target = write(tmp_path / "x.de.gz", gzip.compress("\r\n".join(PAIRS.target).encode()))
    assert read(source=source, target=target) == PAIRS
    assert PAIRS.length == 2


def test_text_keeps_lines_that_are_blank_on_one_side(tmp_path: Path):
    source, target = write(tmp_path / "x.en", "a\n\nc\n"), write(tmp_path / "x.de", "A\nB\n\n")
    assert read(source=source, target=target) == (["a", "", "c"], ["A", "B", ""])


@pytest.mark.parametrize(("sources", "targets"), [(3, 2), (2, 3), (102, 2)])
def test_refuses_files_of_unequal_length(tmp_path: Path, sources: int, targets: int):
    source, target = write(tmp_path / "x.en", "a\n" * sources), write(tmp_path / "x.de", "A\n" * targets)
    with pytest.raises(DataError, match=rf"x\.en has {sources} lines, but .*x\.de has {targets}; line-aligned"):
        read(source=source, target=target)


# Tables


def test_every_table_format(tmp_path: Path):
    rows = [{"id": 1, "en": source, "de": target} for source, target in zip(*PAIRS, strict=True)]
    assert read(json=write_json(tmp_path / "x.jsonl", *rows)) == PAIRS
    assert read(csv=write(tmp_path / "x.csv", "id,en,de\n1,A dog.,Ein Hund.\n2,Two men.,Zwei Männer.\n")) == PAIRS
    assert read(tsv=write(tmp_path / "x.tsv", "id\ten\tde\n1\tA dog.\tEin Hund.\n2\tTwo men.\tZwei Männer.\n")) == PAIRS
    assert read(parquet=write_parquet(tmp_path / "x.parquet", id=[1, 2], en=PAIRS.source, de=PAIRS.target)) == PAIRS


def test_named_columns(tmp_path: Path):
    path = write(tmp_path / "x.csv", "english,german\nA dog.,Ein Hund.\n")
    assert read(csv=path, source_column="english", target_column="german") == (["A dog."], ["Ein Hund."])
    assert read(csv=path, source_column="german", target_column="english") == (["Ein Hund."], ["A dog."])


def test_nested_translation(tmp_path: Path):
    rows = [{"en": "A dog.", "de": "Ein Hund."}, {"de": "Zwei Männer.", "en": "Two men.", "fr": "x"}]
    assert read(json=write_json(tmp_path / "x.json", *({"translation": row} for row in rows))) == PAIRS
    assert read(parquet=write_parquet(tmp_path / "x.parquet", id=[1, 2], translation=rows)) == PAIRS


def test_flat_columns_come_before_nested_ones(tmp_path: Path):
    row = {"en": "A dog.", "de": "Ein Hund.", "translation": {"en": "x", "de": "y"}}
    assert read(json=write_json(tmp_path / "x.json", row)) == (["A dog."], ["Ein Hund."])


def test_nulls_are_empty_sentences(tmp_path: Path):
    rows = [{"en": None, "de": "A"}, {"de": "B", "en": "b"}, {"en": "c"}]
    expected = (["", "b", "c"], ["A", "B", ""])
    assert read(json=write_json(tmp_path / "flat", *rows)) == expected
    nested = [{"translation": row} for row in rows]
    assert read(json=write_json(tmp_path / "nested", *nested, {"translation": None})) == (
        ["", "b", "c", ""],
        ["A", "B", "", ""],
    )
    assert read(parquet=write_parquet(tmp_path / "x.parquet", en=[None, "b", "c"], de=["A", "B", None])) == expected
    nested = write_parquet(tmp_path / "nested.parquet", translation=[*rows, None])
    assert read(parquet=nested) == (["", "b", "c", ""], ["A", "B", "", ""])
    nothing = write_parquet(tmp_path / "nothing.parquet", en=["a"], de=[None])
    assert read(parquet=nothing) == (["a"], [""])


WORDS = ["NA", "null", "None", "nan", "", "007", "1e5", "True", "2020-01-01", " a ", "#N/A", "-"]


@pytest.mark.parametrize(("kind", "separator"), [("csv", ","), ("tsv", "\t")])
def test_no_sentence_is_taken_for_a_missing_value_or_number(tmp_path: Path, kind: str, separator: str):
    rows = [f"{word}{separator}{word}" for word in WORDS]
    path = write(tmp_path / f"x.{kind}", "\n".join([f"en{separator}de", *rows]))
    assert read(**{kind: path}) == (WORDS, WORDS)


def test_json_takes_no_sentence_for_a_date_or_number(tmp_path: Path):
    for word in WORDS:  # alone in its file, where a loader would infer the column's type from it
        assert read(json=write_json(tmp_path / "x", {"en": word, "de": word})) == ([word], [word])


@pytest.mark.parametrize(("kind", "separator"), [("csv", ","), ("tsv", "\t")])
def test_tables_keep_rows_at_odd_newlines(tmp_path: Path, kind: str, separator: str):
    content = "\ufeffen|de\r\na\rb|A\u2028B\x85\r\n\r\nc|\r\n|\n|D\ne|E".replace("|", separator)
    path = write(tmp_path / "x", content)
    assert read(**{kind: path}) == (["a b", "", "c", "", "", "e"], ["A\u2028B\x85", "", "", "", "D", "E"])


def test_csv_quotes(tmp_path: Path):
    path = write(tmp_path / "x", 'en,de\n"a ""dog"", b","A\r\n\r\nB"\nc,C\n')
    assert read(csv=path) == (['a "dog", b', "c"], ["A B", "C"])


def test_quotes_in_tsv_are_text(tmp_path: Path):
    path = write(tmp_path / "x", 'en\tde\n"a\tA\nb"\t"B"\n""\t\'C\n')
    assert read(tsv=path) == (['"a', 'b"', '""'], ["A", '"B"', "'C"])


def test_newlines_within_a_sentence_become_one_space(tmp_path: Path):
    texts, clean = ["a\nb", "a\r\n\r\nb", "a\rb", "\na\n", "\n"], ["a b", "a b", "a b", "a", ""]
    rows = [{"en": text, "de": text} for text in texts]
    assert read(json=write_json(tmp_path / "x.json", *rows)) == (clean, clean)
    assert read(parquet=write_parquet(tmp_path / "x.parquet", en=texts, de=texts)) == (clean, clean)


def test_very_long_sentences_are_read(tmp_path: Path):
    long = "a " * 500_000 + "."
    for kind, separator in (("csv", ","), ("tsv", "\t")):
        assert read(**{kind: write(tmp_path / kind, f"en{separator}de\n{long}{separator}b\n")}) == ([long], ["b"])


def test_tables_may_be_packed(tmp_path: Path):
    assert read(csv=write(tmp_path / "x.csv.gz", gzip.compress(b"en,de\na,A\n"))) == (["a"], ["A"])
    assert read(json=write(tmp_path / "x.json.gz", gzip.compress(b'{"en": "a", "de": "A"}\n'))) == (["a"], ["A"])


def test_json_skips_blank_lines_and_reads_escapes(tmp_path: Path):
    path = write(tmp_path / "x", '\r\n{"en": "\\ud83d\\ude00", "de": "\\u00fc"}\n \n{"de": "B", "en": "b"}\n\n')
    assert read(json=path) == (["😀", "b"], ["ü", "B"])


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        (
            "json",
            '{"en": "a", "de": "A"}\n{"en": "a" "de": "A"}\n',
            r"x: line 2: expected one JSON object a line: Expe",
        ),
        ("json", '[\n{"en": "a", "de": "A"}\n]\n', r"x: line 1: expected one JSON object a line: Expecting value"),
        ("json", '[{"en": "a", "de": "A"}]\n', r"x: line 1: expected one JSON object a line, found list"),
        ("json", "[" * 100_000, r"x: line 1: expected one JSON object a line: maximum recursion depth"),
        (
            "json",
            '{"en": "a"}\n{"en": "b"}\n',
            r"x: no column 'de'; available are 'en' \(choose one with target_column",
        ),
        ("json", '{"en": "a", "de": 5}\n', r"x: row 1, column 'de': expected text, found int"),
        (
            "json",
            '{"en": "a", "de": "A"}\n{"en": {}, "de": "A"}\n',
            r"x: row 2, column 'en': expected text, found dict",
        ),
        ("json", '{"en": "\\ud83d", "de": "A"}\n', r"x: row 1, column 'en': surrogates not allowed, so it is not text"),
        ("json", '{"translation": {"en": "a", "fr": "A"}}\n', r"x: no column 'de'; available are 'en', 'fr'"),
        ("json", '{"translation": "a"}\n', r"x: no column 'en'; available are 'translation'"),
        (
            "json",
            b'{"en": "a", "de": "A"}\n{"en": "\xff"}\n',
            r"x: line 2, byte offset 8: byte 0xff is not valid UTF-8",
        ),
        ("json", "\n\n", "x is empty: it has no rows"),
        ("json", "", "x is empty$"),
        ("csv", "en,de\n", "x is empty: it has no rows"),
        ("csv", "", "x is empty$"),
        ("csv", "id,EN,de\n1,a,A\n", r"x: no column 'en'; available are 'id', 'EN', 'de' \(choose one with source_col"),
        ("csv", "en,de\na,A\nb\n", r"x: line 3 has 1 fields; expected 2, as in line 1"),
        ("csv", 'en,de\n"a\nb",A\nc,C,c\n', r"x: line 4 has 3 fields; expected 2, as in line 1"),
        (
            "csv",
            'en,de\na,A\n"b,B\nc,C\n',
            r"x: the row from line 3 is not csv: unexpected end of data \(a field with a",
        ),
        ("csv", 'en,de\n"a" b,A\n', r"x: the row from line 2 is not csv: ',' expected after"),
        ("csv", b"en,de\na,A\nb,\xe4\n", r"x: line 3, byte offset 2: byte 0xe4 is not valid UTF-8"),
        ("tsv", "en\tde\na\tA\nb\tB\tb\n", r"x: line 3 has 3 fields; expected 2, as in line 1"),
        ("tsv", "a\tA\nb\tB\n", r"x: no column 'en'; available are 'a', 'A'"),
        ("parquet", "en,de\n", r"x: cannot load: ArrowInvalid: "),
    ],
)
def test_refuses_broken_tables(tmp_path: Path, kind: str, content: bytes | str, message: str):
    with pytest.raises(DataError, match=message) as error:
        read(**{kind: write(tmp_path / "x", content)})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["json", "csv", "tsv", "parquet"])
def test_refuses_missing_tables(tmp_path: Path, kind: str):
    with pytest.raises(DataError, match=r"missing: cannot read the file: [Nn]o such file"):
        read(**{kind: tmp_path / "missing"})


def test_refuses_broken_columns_of_parquet(tmp_path: Path):
    path = write_parquet(tmp_path / "x.parquet", id=[1], en=["a"], german=["A"])
    with pytest.raises(DataError, match=r"x\.parquet: no column 'de'; available are 'id', 'en', 'german'"):
        read(parquet=path)
    with pytest.raises(DataError, match=r"x\.parquet: row 1, column 'id': expected text, found int"):
        read(parquet=path, target_column="id")
    invalid = pyarrow.Array.from_buffers(pyarrow.string(), 1, pyarrow.array([b"\xff"]).buffers())
    pyarrow.parquet.write_table(pyarrow.table({"en": invalid, "de": ["A"]}), path)
    with pytest.raises(DataError, match=r"x\.parquet: cannot load: UnicodeDecodeError: .*invalid start byte"):
        read(parquet=path)


def test_parquet_path_is_no_pattern(tmp_path: Path):
    assert read(parquet=write_parquet(tmp_path / "x[1]*.parquet", en=["a"], de=["A"])) == (["a"], ["A"])


def test_content_decides_where_size_and_time_are_the_same(tmp_path: Path):
    path, folder = tmp_path / "x.parquet", tmp_path / "hub"
    folder.mkdir()
    for text in ("a", "b"):
        for file in (path, folder / "train.parquet"):
            write_parquet(file, en=[text], de=[text])
            os.utime(file, (1_000_000_000, 1_000_000_000))
        assert read(parquet=path) == ([text], [text])
        assert read(hub=folder) == ([text], [text])


# The hub


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A dataset as the hub keeps it, with two configurations and three splits."""
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n"
        + "".join(
            f"- config_name: {name}\n  data_files:\n"
            + "".join(f"  - split: {split}\n    path: {name}/{split}-*\n" for split in ("train", "validation", "test"))
            for name in ("de-en", "en-fr")
        )
        + "---\n"
    )
    for target in ("de", "fr"):
        folder = tmp_path / ("de-en" if target == "de" else "en-fr")
        folder.mkdir()
        for split in ("train", "validation", "test"):
            rows = [{"en": f"{split} {part}", target: f"{split} {part} {target}"} for part in (0, 1)]
            for part, row in enumerate(rows):
                write_parquet(folder / f"{split}-0000{part}-of-00002.parquet", translation=[row])
    return tmp_path


def test_hub_dataset(hub: Path):
    expected = (["test 0", "test 1"], ["test 0 de", "test 1 de"])
    assert read("test", hub=hub, hub_config="de-en") == expected
    assert read("train", hub=hub, hub_config="de-en", split="test") == expected
    assert read("train", hub=hub, hub_config="de-en").source == ["train 0", "train 1"]


def test_refuses_what_a_hub_dataset_lacks(hub: Path):
    with pytest.raises(DataError, match=r"hub dataset .*, split dev: cannot load: ValueError: Unknown split .dev."):
        read(hub=hub, hub_config="de-en", split="dev")
    with pytest.raises(
        DataError, match=r"cannot load: ValueError: BuilderConfig 'de-fr' not found. Available: \['de-en'"
    ):
        read(hub=hub, hub_config="de-fr")
    with pytest.raises(DataError, match=r"cannot load: ValueError: Config name is missing"):
        read(hub=hub)
    with pytest.raises(DataError, match=r"hub dataset .*, split train: no column 'de'; available are 'en', 'fr'"):
        read(hub=hub, hub_config="en-fr")


def test_hub_out_of_reach():
    with pytest.raises(
        DataError, match=r"hub dataset someone/something, split train: cannot load: .*Couldn't reach"
    ) as error:
        read(hub="someone/something")
    assert "\n" not in str(error.value)


def test_hub_name_that_cannot_be():
    with pytest.raises(DataError, match=r"hub dataset a/b/c, split train: cannot load: FileNotFoundError"):
        read(hub="a/b/c")


def test_loading_prints_nothing_and_leaves_settings_alone(tmp_path: Path):
    write_parquet(tmp_path / "x.parquet", en=["a"], de=["A"])
    program = """
import logging, sys
from seq2seq.config import CorpusConfig, DataConfig
from seq2seq.data.corpus import read_corpus
from seq2seq.errors import DataError
assert "datasets" not in sys.modules
for place in ({"parquet": "x.parquet"}, {"hub": "someone/something"}):
    corpus = CorpusConfig(**place)
    data = DataConfig(source_language="en", target_language="de", train=corpus, validation=corpus)
    try:
        read_corpus(corpus, data, "train")
    except DataError:
        pass
import datasets
assert not datasets.are_progress_bars_disabled()
assert logging.getLogger("datasets").isEnabledFor(logging.WARNING)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
