"""N lines in, N lines out, whatever they hold and whatever the options."""

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq import Translator
from seq2seq.cli import main
from seq2seq.inference.options import SearchOptions, search_options

TIMES = settings().max_examples // 100  # 1 in the quick suite, more in `make fuzz`
OPTIONS = [
    ["--beam-size", "1"], ["--beam-size", "3", "--n-best", "2"], ["--sample", "--temperature", "5"], ["--scores"],
    ["--alignment"], ["--prefix", "\u2028 x"], ["--prefix", "▁"], ["--no-repeat-ngram-size", "1"],
    ["--min-length-ratio", "1.5"], ["--max-length-ratio", "0.1"], ["--max-source-length", "2"], ["--batch-tokens", "1"],
    ["--precision", "bfloat16"], ["--precision", "int8"],
]  # fmt: skip
PIECES = [
    b"\n", b"\r\n", b"\r", b"a", b" ", b"\0", b"\xff", b"\xc3", "\u2028\u2029\x85\x0b\x0c\x1c\x1e".encode(),
    "▁".encode(), b"</s>", b"<0x0A>", "日😀\u202e\u0301".encode(), b"\xef\xbb\xbf", b"\xed\xa0\x80", b"word " * 40,
]  # fmt: skip
content = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join) | st.binary(max_size=60)


def run(content: bytes, *arguments: str) -> list[str]:
    """The lines that the command prints for what it is given."""
    out, notes = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(notes):
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert main(["translate", "--device", "cpu", *arguments]) == 0
    printed = out.getvalue()
    assert not printed or printed.endswith("\n")
    assert len(printed.splitlines()) == printed.count("\n"), "a line holds what others take for the end of one"
    return printed.split("\n")[:-1]


@settings(max_examples=10 * TIMES)
@given(content, st.lists(st.sampled_from(OPTIONS), max_size=2))
def test_a_line_out_for_every_line_in(any_model: Path, content: bytes, chosen: list[list[str]]):
    options = [text for option in chosen for text in option]
    num_lines = content.count(b"\n") + bool(content) * (not content.endswith(b"\n"))
    if content.startswith((b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")):  # gzip and UTF-16, which are refused
        return
    if "--n-best" in options and (["--beam-size", "1"] in chosen or "--sample" in options):  # refused, too
        return
    if "--min-length-ratio" in options and "--max-length-ratio" in options:  # the former is the larger: refused
        return
    printed = run(content, str(any_model), *options)
    if "--n-best" in options:
        numbers = [int(line.split("\t")[0]) for line in printed]
        assert numbers == sorted(numbers)
        assert set(numbers) == set(range(1, num_lines + 1))
    else:
        assert len(printed) == num_lines


@pytest.fixture(scope="session")
def translator(any_model: Path) -> Translator:
    return Translator.load(any_model, "cpu")


sentences = st.lists(st.text(max_size=20) | st.text("a▁ \u2028日\ud800\x00", max_size=9), max_size=6)


@settings(max_examples=10 * TIMES)
@given(sentences, st.text(max_size=3))
def test_any_sentences_from_python(translator: Translator, texts: list[str], prefix: str):
    results = translator.translate(texts, prefix=prefix, beam_size=2, n_best=2)
    assert [result.source for result in results] == texts
    for result in results:
        assert len(result.text.splitlines()) <= 1
        translator.align_words(result)
    aligned = translator.align(texts, texts[::-1])
    assert [result.text for result in aligned] == texts[::-1]
    for result in aligned:
        translator.align_words(result)


numbers = st.integers() | st.floats() | st.booleans() | st.none() | st.sampled_from([0, 1, 2, 3, 0.5, "gnmt"])
NAMES = sorted(SearchOptions.model_fields.keys() - {"shortlist"})  # which needs a table that this model has not


@settings(max_examples=20 * TIMES)
@given(st.dictionaries(st.sampled_from(NAMES), numbers, max_size=3))
@example({"length_penalty": 230})  # an OverflowError: length ** penalty
def test_any_options_from_python(attempt, translator: Translator, options: dict[str, Any]):
    checked = attempt(lambda: search_options(translator.config.search, options), *options)
    if checked is not None and max(checked.beam_size, checked.min_length_ratio, checked.max_length_ratio) <= 9:
        (result,) = translator.translate(["a dog"], **options)
        assert len(result.text.splitlines()) <= 1
