"""Whatever is in a table: its pairs, or one line that names the file."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq.config import CorpusConfig, DataConfig
from seq2seq.data import tables
from seq2seq.data.corpus import read_pairs

TIMES = settings().max_examples // 100  # 1 in the quick suite, more in `make fuzz`
FORMATS = ("json", "csv", "tsv", "parquet")
sentence = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["NA", "null", "2020-01-01", '"', 'a "b" c', "a,b", "a\tb", "a\nb", "\r", "", " "]
)
rows = st.lists(st.tuples(sentence, sentence), min_size=1, max_size=7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module", autouse=True)
def _small_chunks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "CHUNK", 2)
        yield


def write_csv(path: Path, pairs: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("en", "de"), *pairs])


def write_tsv(path: Path, pairs: list[tuple[str, str]]) -> None:
    lines = ["\t".join(" ".join(field.split()) for field in row) for row in [("en", "de"), *pairs]]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")


def write_json(path: Path, pairs: list[tuple[str, str]]) -> None:
    lines = [json.dumps({"translation": {"en": source, "de": target}}) + "\n" for source, target in pairs]
    path.write_text("".join(lines), encoding="utf-8")


def write_parquet(path: Path, pairs: list[tuple[str, str]]) -> None:
    sources, targets = zip(*pairs, strict=True)
    pyarrow.parquet.write_table(pyarrow.table({"en": list(sources), "de": list(targets)}), path)


WRITERS: dict[str, Callable[[Path, list[tuple[str, str]]], None]] = {
    "json": write_json, "csv": write_csv, "tsv": write_tsv, "parquet": write_parquet,
}  # fmt: skip


def read(path: Path, kind: str) -> list[tuple[str, str]]:
    corpus = CorpusConfig.model_validate({kind: str(path)})
    data = DataConfig(source_language="en", target_language="de", train=corpus, validation=corpus)
    return list(read_pairs(corpus, data, "train"))


@settings(max_examples=30 * TIMES)
@given(st.sampled_from(FORMATS), rows)
def test_any_pairs_come_back(folder: Path, kind: str, pairs: list[tuple[str, str]]):
    WRITERS[kind](folder / "table", pairs)
    normal = [tuple(" ".join(side.split()) for side in pair) for pair in pairs]
    assert [tuple(" ".join(side.split()) for side in pair) for pair in read(folder / "table", kind)] == normal


@pytest.fixture(scope="module")
def check(attempt, folder: Path):
    def check(kind: str, num_pairs: int | None = None) -> None:
        pairs = attempt(lambda: read(folder / "table", kind), str(folder / "table"))
        for text in (side for pair in pairs or [] for side in pair):
            assert "\n" not in text
            text.encode("utf-8")
        assert pairs is None or num_pairs in (None, len(pairs))

    return check


PIECES = [
    b'{"en": "a", "de": "b"}', b"{}", b"\n", b",", b"\t", b'"', b"en,de", b"en\tde", b'{"en": null}', b"[]", b"1e999",
    b"NaN", b'{"translation": {}}', b'{"translation": {"en": "x", "de": "y"}}', b'{"translation": 1}',
    b'{"en": "\\ud800"}', b'{"en": ["a"], "de": {}}', b"\xff", b"\0", b"\r",
    b"[" * 9000, b"9" * 5000, b'{"": 1}', b'""', b"\xef\xbb\xbf",
]  # fmt: skip
any_bytes = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join) | st.binary(max_size=50)


@settings(max_examples=40 * TIMES)
@given(st.sampled_from(FORMATS), any_bytes, st.booleans())
def test_any_bytes_are_pairs_or_refused(check, folder: Path, kind: str, content: bytes, packed: bool):
    (folder / "table").write_bytes(gzip.compress(content) if packed else content)
    check(kind)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["en", "de", ""]), inner, max_size=3),
    max_leaves=5,
)
json_rows = st.dictionaries(st.sampled_from(["en", "de", "translation", "x"]), json_values | st.just("a"), max_size=3)


@settings(max_examples=30 * TIMES)
@given(st.lists(json_rows, max_size=7))
@example([{}, {"en": "a", "de": "a"}, {}])  # a chunk of rows without any column: a StopIteration
def test_any_json_is_pairs_or_refused(check, folder: Path, records: list[dict[str, Any]]):
    (folder / "table").write_text("".join(json.dumps(record) + "\n" for record in records))
    check("json", len(records))
